// TLS on both listeners (RFC 9325): 1.2 and 1.3, ciphers with authentication only, HTTP/1.1. The certificate can be replaced while the
// node runs: connections that are there go on with theirs.

import CurfewCore
import Foundation
import NIOCore
import NIOSSL
import Synchronization

/// Where the listeners' certificate comes from.
package struct TLSFiles: Sendable, Equatable {
    /// PEM: the certificate, and those between it and an authority that clients know.
    package var certificate: String
    /// PEM, without a passphrase.
    package var key: String
    /// PEM: who signs the certificates of the admin listener's clients; `nil`: they need none.
    package var adminAuthorities: String?

    var paths: [String] { [certificate, key] + (adminAuthorities.map { [$0] } ?? []) }
}

/// What the files had when they were read last.
final class ListenerTLS: Sendable {
    struct Contexts: Sendable {
        fileprivate let `public`: NIOSSLContext
        fileprivate let admin: NIOSSLContext
        /// Of the certificate itself.
        let expiresAt: WallTime
    }

    private let contexts: Mutex<Contexts>

    init(_ contexts: Contexts) { self.contexts = Mutex(contexts) }

    func replace(with contexts: Contexts) { self.contexts.withLock { $0 = contexts } }

    var expiresAt: WallTime { contexts.withLock { $0.expiresAt } }

    /// For one connection.
    func handler(_ kind: ListenerKind) -> NIOSSLServerHandler {
        let contexts = contexts.withLock { $0 }
        return NIOSSLServerHandler(context: kind == .admin ? contexts.admin : contexts.public)
    }
}

extension TLSFiles {
    private static let maximumBytes = 256 * 1024
    /// How long a connection that ends waits for its client's last word (`close_notify`).
    private static let farewellTimeout = TimeAmount.milliseconds(250)

    /// Reads them. The error names the setting.
    func load() throws(SettingError) -> ListenerTLS.Contexts {
        let chain = try certificates(certificate, setting: "tls-cert")
        let privateKey = try privateKey()
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = Self.ciphers
        configuration.applicationProtocols = ["http/1.1"]
        configuration.shutdownTimeout = Self.farewellTimeout
        var admin = configuration
        if let adminAuthorities {
            admin.certificateVerification = .noHostnameVerification
            admin.trustRoots = .certificates(try certificates(adminAuthorities, setting: "admin-client-ca"))
        }
        do {
            return ListenerTLS.Contexts(
                public: try NIOSSLContext(configuration: configuration),
                admin: try NIOSSLContext(configuration: admin),
                expiresAt: WallTime(seconds: Int64(chain[0].notValidAfter)))
        } catch {
            throw SettingError(setting: "tls-key", value: "\"\(key.prefix(120))\"", expected: "the key of tls-cert")
        }
    }

    /// TLS 1.2's; those of 1.3 are all fit.
    private static let ciphers: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]

    private func privateKey() throws(SettingError) -> NIOSSLPrivateKey {
        try reading(key, setting: "tls-key") { () throws(Setting.Expectation) -> NIOSSLPrivateKey in
            let text = try SecretFile.text(path: key, maximumBytes: Self.maximumBytes)
            guard let key = try? NIOSSLPrivateKey(bytes: Array(text.utf8), format: .pem) else {
                throw Setting.Expectation("a private key in PEM without a passphrase")
            }
            return key
        }
    }

    private func certificates(_ path: String, setting: String) throws(SettingError) -> [NIOSSLCertificate] {
        try reading(path, setting: setting) { () throws(Setting.Expectation) -> [NIOSSLCertificate] in
            let text = try SecretFile.text(path: path, maximumBytes: Self.maximumBytes, isSecret: false)
            guard let found = try? NIOSSLCertificate.fromPEMBytes(Array(text.utf8)), !found.isEmpty else {
                throw Setting.Expectation("certificates in PEM, at most \(Self.maximumBytes) bytes")
            }
            return found
        }
    }

    private func reading<Content>(
        _ path: String, setting: String, _ read: () throws(Setting.Expectation) -> Content
    ) throws(SettingError) -> Content {
        do throws(Setting.Expectation) {
            return try read()
        } catch {
            throw SettingError(setting: setting, value: "\"\(path.prefix(120))\"", expected: error.text)
        }
    }
}
