// TLS towards Redis: the certificate counts, and so does the name in it.

import TestSupport
import Testing

@testable import CurfewRedis

@Suite struct TLSTests {
    static func server(_ names: [String]) async throws -> RedisServer {
        var options = RedisServerOptions()
        options.port = .tls
        options.password = "pa55"
        options.certificateNames = names
        return try await RedisServer.start(options)
    }

    /// The reason for which no connection comes about.
    static func reason(_ url: String, authorities: String?, contains text: String) async throws {
        try await withClient(url, authorities: authorities, isConnected: false) { client in
            try await eventually("the reason contains \(text)") {
                let error = await failure { () throws(RedisError) in try await client.send(RedisCommand("PING")) }
                return error.map { "\($0)".contains(text) } ?? false
            }
        }
    }

    @Test("a verified certificate is accepted, by name and by IP address")
    func verified() async throws {
        let server = try await Self.server(["DNS:localhost", "IP:127.0.0.1"])
        let authority = try #require(server.certificates?.authority)
        for url in [server.url, server.url.replacing("localhost", with: "127.0.0.1")] {
            try await withClient(url, authorities: authority) { client in
                let reply = try await client.send(RedisCommand("PING"))
                #expect(reply == .status("PONG"))
            }
        }
    }

    @Test("a certificate of another authority is refused, the system's authorities included")
    func stranger() async throws {
        let server = try await Self.server(["DNS:localhost", "IP:127.0.0.1"])
        let stranger = try #require(server.certificates?.stranger)
        try await Self.reason(server.url, authorities: stranger, contains: "not signed by a trusted authority")
        try await Self.reason(server.url, authorities: nil, contains: "not signed by a trusted authority")
    }

    @Test("a certificate for another name or address is refused")
    func anotherName() async throws {
        let server = try await Self.server(["DNS:redis.example", "IP:10.1.2.3"])
        let authority = try #require(server.certificates?.authority)
        try await Self.reason(server.url, authorities: authority, contains: "not for this host")
        let numeric = server.url.replacing("localhost", with: "127.0.0.1")
        try await Self.reason(numeric, authorities: authority, contains: "not for this host")
    }

    @Test("TLS towards a plain port, and plain towards a TLS port, end in a reason")
    func mixedUp() async throws {
        let plain = try await RedisServer.start()
        try await Self.reason("rediss://localhost:\(plain.port)", authorities: nil, contains: "connect")
        let secure = try await Self.server(["DNS:localhost"])
        try await Self.reason("redis://localhost:\(secure.port)", authorities: nil, contains: "connect")
    }
}
