// Where Redis is and how to get in, from one URL. Checked as a whole when it is made, certificates included,
// so that a wrong setting is one clear line at start and not an endless retry. The password is in no text made here.

import NIOSSL

/// An address that can't be used. Names what was expected, never what stood where a password may stand.
package struct RedisAddressError: Error, Sendable, Equatable, CustomStringConvertible {
    package let problem: String
    /// The forms of a Redis URL, for the one line that a wrong setting gets.
    package static let expected =
        "redis://[[user]:password@]host[:port][/db], rediss://… for TLS, redis+unix://[[user]:password@]/path[?db=N], "
        + "redis+sentinel://[[user]:password@]host[:port][,host…]/name[/db] or redis+cluster://[[user]:password@]host[:port][,host…]"

    package var description: String { "\(problem); expected \(Self.expected)" }
}

/// A Redis to connect to.
package struct RedisAddress: Sendable {
    enum Endpoint: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    let endpoint: Endpoint
    /// `nil`: no user name is sent (the default user).
    let user: String?
    let password: String?
    let database: Int
    /// Set for `rediss://`; verifies the certificate and the name or IP address in it.
    let tls: NIOSSLContext?

    /// - Parameters:
    ///   - url: see `RedisAddressError.expected`; one Redis. User, password and path may be percent-encoded.
    ///   - certificateAuthorities: PEM file of the authorities for `rediss://`; `nil`: the system's.
    package init(url: String, certificateAuthorities: String? = nil) throws(RedisAddressError) {
        let parts = try RedisURL(url)
        guard parts.kind == .single else { throw RedisAddressError(problem: "several Redis servers") }
        self.init(
            parts.endpoints[0], parts,
            tls: try Self.context(for: parts, certificateAuthorities: certificateAuthorities))
    }

    /// The endpoint, with the credentials and the database of a URL.
    init(_ endpoint: Endpoint, _ parts: RedisURL, tls: NIOSSLContext?) {
        self.endpoint = endpoint
        user = parts.user
        password = parts.password
        database = parts.database
        self.tls = tls
    }

    /// Made once for all hosts of a URL.
    static func context(
        for parts: RedisURL, certificateAuthorities: String?
    ) throws(RedisAddressError) -> NIOSSLContext? {
        if parts.isEncrypted { return try makeContext(certificateAuthorities: certificateAuthorities) }
        guard certificateAuthorities == nil else {
            throw RedisAddressError(problem: "certificate authorities are for rediss:// only")
        }
        return nil
    }

    private static func makeContext(certificateAuthorities: String?) throws(RedisAddressError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        if let file = certificateAuthorities {
            let certificates = (try? NIOSSLCertificate.fromPEMFile(file)) ?? []
            if certificates.isEmpty {
                throw RedisAddressError(problem: "no PEM certificates can be read from \(file)")
            }
            configuration.trustRoots = .certificates(certificates)
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw RedisAddressError(problem: "TLS can't be set up (\(error))")
        }
    }
}

extension RedisAddress: CustomStringConvertible {
    /// The URL in its full form, with the password masked.
    package var description: String {
        let credentials = password.map { _ in "\(user ?? ""):***@" } ?? ""
        switch endpoint {
        case .tcp(let host, let port):
            let name = host.contains(":") ? "[\(host)]" : host
            return "\(tls == nil ? "redis" : "rediss")://\(credentials)\(name):\(port)/\(database)"
        case .unix(let path): return "redis+unix://\(credentials)\(path)?db=\(database)"
        }
    }

    /// Any text that was meant as a Redis URL, with whatever may be a password masked: all up to the last `@`, and a query
    /// other than `?db=` and a number. Where a query comes before the `@`, either may be the password's. By scalars: a mark that follows the
    /// `@` joins it to another character.
    package static func masked(_ url: String) -> String {
        let scalars = url.unicodeScalars
        let at = scalars.lastIndex(of: "@")
        let query = scalars.firstIndex(of: "?").flatMap { isDatabase(url[$0...]) ? nil : $0 }
        guard at != nil || query != nil else { return url }
        var text = ""
        if let at {
            if let end = scalars.firstRange(of: "://".unicodeScalars)?.upperBound, end <= at,
                scalars[..<end].dropLast(3).allSatisfy({ $0.isASCII && ($0.properties.isAlphabetic || $0 == "+") })
            {
                text = String(scalars[..<end])
            }
            text += "***"
            if let query, query < at { return text }
        }
        return text + url[(at ?? url.startIndex)..<(query ?? url.endIndex)] + (query == nil ? "" : "?***")
    }

    private static func isDatabase(_ query: Substring) -> Bool {
        query.hasPrefix("?db=") && query.dropFirst(4).utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
