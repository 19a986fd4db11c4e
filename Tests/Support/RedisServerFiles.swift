// What a test's redis-server needs on disk: a private directory, its configuration, certificates made by openssl.
// Everything lies in one directory of mode 0700 under /tmp, which goes away with the server.

import Foundation

/// Certificates of a server for `localhost` and `127.0.0.1`, signed by an authority of their own, and a second
/// authority that signed nothing.
package struct TestCertificates: Sendable {
    package let directory: String
    package var authority: String { directory + "/ca.pem" }
    package var stranger: String { directory + "/stranger.pem" }
    package var certificate: String { directory + "/server.pem" }
    package var key: String { directory + "/server.key" }

    /// `names` are subject alternative names as openssl writes them, `DNS:…` or `IP:…`.
    package init(in directory: String, names: [String] = ["DNS:localhost", "IP:127.0.0.1"]) throws {
        self.directory = directory
        for authority in ["ca", "stranger"] {
            try openssl([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=curfew test \(authority)", "-keyout", "\(directory)/\(authority).key",
                "-out", "\(directory)/\(authority).pem",
            ])
        }
        try sign("server", names: names)
    }

    /// A certificate and key of their own, `<name>.pem` and `<name>.key`, replaced in one step each where they are there.
    package func sign(
        _ name: String, names: [String] = ["DNS:localhost", "IP:127.0.0.1"], by signer: String = "ca", days: Int = 2
    ) throws {
        let path = "\(directory)/\(name)"
        try openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=curfew \(name)",
            "-keyout", "\(path).key.new", "-out", "\(path).csr",
        ])
        try "subjectAltName=\(names.joined(separator: ","))\n".write(
            toFile: "\(path).ext", atomically: false, encoding: .utf8)
        try openssl([
            "x509", "-req", "-in", "\(path).csr", "-CA", "\(directory)/\(signer).pem",
            "-CAkey", "\(directory)/\(signer).key", "-CAcreateserial", "-days", "\(days)", "-extfile", "\(path).ext",
            "-out", "\(path).pem.new",
        ])
        for ending in ["key", "pem"] {
            guard rename("\(path).\(ending).new", "\(path).\(ending)") == 0 else {
                throw RedisCallError(description: "\(path).\(ending) can't be replaced (errno \(errno))")
            }
        }
    }

    private func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw RedisCallError(description: "openssl \(arguments[0]) failed (\(process.terminationStatus))")
        }
    }
}

/// A new directory of mode 0700 with a short path (a unix socket's path has about 100 bytes).
package func makePrivateDirectory() throws -> String {
    let template = Array("/tmp/curfew-test-XXXXXX".utf8CString)
    return try template.withUnsafeBufferPointer { source in
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: source.count) { path in
            _ = path.initialize(from: source)
            guard let base = path.baseAddress, mkdtemp(base) != nil else {
                throw RedisCallError(description: "no private directory (errno \(errno))")
            }
            return String(cString: base)
        }
    }
}

/// A TCP port on loopback that nothing listens on, outside the range that the system hands to outgoing connections; and so is
/// the one that many above it, where that is asked for.
package func findFreePort(andAbove distance: Int? = nil) throws -> Int {
    for _ in 0..<200 {
        let port = Int.random(in: 12_000..<(32_000 - (distance ?? 0)))
        guard isFree(port), distance.map({ isFree(port + $0) }) ?? true else { continue }
        return port
    }
    throw RedisCallError(description: "no free port")
}

private func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    return sockaddr_in.loopback(port).bind(descriptor)
}
