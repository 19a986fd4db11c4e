// What every client command takes: where the admin listener is, the key, and the form of the answer.

import ArgumentParser
import Foundation
import NIOSSL

struct ClientOptions: ParsableArguments {
    @Option(
        help: "Admin listener of a node (default: CURFEW_URL, else \(ClientOptions.defaultURL)).")
    var url: String?
    @Option(
        help: """
            API key (default: CURFEW_API_KEY; with neither --url nor a key given, the first node of \
            "curfew dev" as ./\(DevFile.path) has it).
            """)
    var apiKey: String?
    @Option(help: "PEM file of the authorities that may sign an https node's certificate (default: the system's).")
    var ca: String?
    @Option(help: "PEM file of the certificate that the node wants (its --admin-client-ca).") var cert: String?
    @Option(help: "PEM file of that certificate's private key.") var certKey: String?
    @Flag(help: "Print the node's answer as it came, JSON.")
    var json = false

    static let defaultURL = "http://127.0.0.1:8081"

    /// The client these options, the environment and a running `curfew dev` amount to.
    func client() throws(CommandFailure) -> AdminClient {
        let environment = ProcessInfo.processInfo.environment
        let givenURL = url ?? environment["CURFEW_URL"]
        let givenKey = apiKey ?? environment["CURFEW_API_KEY"]
        if givenURL == nil, givenKey == nil, let dev = DevFile.read(), let node = dev.nodes.first(where: \.isRunning) {
            return AdminClient(base: node.admin, apiKey: dev.apiKey)
        }
        let base = givenURL ?? Self.defaultURL
        guard base.hasPrefix("http://") || base.hasPrefix("https://") else {
            throw CommandFailure(
                .usage, "--url: \"\(base)\", expected a URL such as \(Self.defaultURL)")
        }
        return AdminClient(
            base: base.hasSuffix("/") ? String(base.dropLast()) : base, apiKey: givenKey, tls: try tls())
    }

    /// `nil` where nothing is said about it.
    private func tls() throws(CommandFailure) -> TLSConfiguration? {
        guard ca != nil || cert != nil || certKey != nil else { return nil }
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let ca { configuration.trustRoots = .certificates(try certificates(ca, "--ca")) }
        guard cert != nil || certKey != nil else { return configuration }
        guard let cert, let certKey else {
            throw CommandFailure(.usage, "--cert and --cert-key: one of them, expected both")
        }
        configuration.certificateChain = try certificates(cert, "--cert").map { .certificate($0) }
        guard let key = try? NIOSSLPrivateKey(file: certKey, format: .pem) else {
            throw CommandFailure(.usage, "--cert-key: \"\(certKey)\", expected a file with a private key in PEM")
        }
        configuration.privateKey = .privateKey(key)
        return configuration
    }

    private func certificates(_ path: String, _ option: String) throws(CommandFailure) -> [NIOSSLCertificate] {
        guard let found = try? NIOSSLCertificate.fromPEMFile(path), !found.isEmpty else {
            throw CommandFailure(.usage, "\(option): \"\(path)\", expected a file with certificates in PEM")
        }
        return found
    }
}
