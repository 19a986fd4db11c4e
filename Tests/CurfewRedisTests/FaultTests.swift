// What a client does when the network, the server or the bytes misbehave: every call ends, and the
// connection comes back.

import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import CurfewRedis

@Suite struct FaultTests {
    static let ping = RedisCommand("PING")

    @Test("a command past its deadline fails with those behind it, the connection is closed and replaced")
    func deadline() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(to: .tcp(host: "127.0.0.1", port: server.port))
        let lost = Atomic<Int>(0)
        try await withClient(
            "redis://127.0.0.1:\(proxy.port)", onDisconnect: { lost.add(1, ordering: .relaxed) }
        ) { client in
            #expect(try await client.send(Self.ping) == .status("PONG"))
            try await proxy.set(.blackhole)
            async let patient = failure { () throws(RedisError) in
                try await client.send(Self.ping, timeout: .seconds(60))
            }
            async let hasty = failure { () throws(RedisError) in
                try await client.send(RedisCommand("GET", ["k"]), timeout: .milliseconds(200))
            }
            #expect(await hasty == .timeout(operation: "GET"))
            #expect(await patient == .closed(operation: "PING", reason: "no answer in time"))
            try await proxy.set(.forward)
            try await eventually("another connection serves") {
                try await client.send(Self.ping) == .status("PONG") && client.generation > 1
            }
            #expect(lost.load(ordering: .relaxed) == 1)
        }
        try await proxy.stop()
    }

    @Test("without a connection every send fails at once, and works again after the server is back, empty or not")
    func restart() async throws {
        let server = try await RedisServer.start()
        try await withClient(server.url) { client in
            _ = try await client.send(RedisCommand("SET", ["k", "v"]))
            for data in [RedisServer.Data.kept, .empty] {
                if case .kept = data { try server.call(["SAVE"]) }
                server.crash()
                try await eventually("it is noticed") {
                    let error = await failure { () throws(RedisError) in try await client.send(Self.ping) }
                    if case .unavailable = error { return true }
                    return false
                }
                try await server.restart(data)
                try await client.waitUntilConnected(timeout: .seconds(20))
                let value = try await client.send(RedisCommand("GET", ["k"]))
                if case .kept = data { #expect(value == .bytes([118])) } else { #expect(value == .null) }
            }
        }
    }

    @Test("a dropped, a cut and a refused connection come back")
    func cuts() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(to: .unix(path: server.unixSocket))
        try await withClient("redis://127.0.0.1:\(proxy.port)") { client in
            client.drop(reason: "half-open")
            try await eventually("after a drop") { client.generation == 2 }
            try await proxy.dropAll()
            try await eventually("after a cut") { client.generation == 3 }
            try await proxy.refuse()
            try await proxy.dropAll()
            try await eventually("refused") { client.connection == nil }
            let waited = await failure { () throws(RedisError) in
                try await client.waitUntilConnected(timeout: .milliseconds(50))
            }
            guard case .unavailable("connect", _) = waited else {
                Issue.record("\(String(describing: waited))")
                return
            }
            try await proxy.accept()
            try await client.waitUntilConnected(timeout: .seconds(20))
            try await proxy.set(.delay(.milliseconds(20)))
            #expect(try await client.send(Self.ping) == .status("PONG"))
        }
        try await proxy.stop()
    }

    @Test("onConnect has each new connection to itself, and one that throws is tried again")
    func onConnect() async throws {
        struct Refused: Error {}
        let server = try await RedisServer.start()
        let attempts = Atomic<Int>(0)
        let isOpen = Atomic<Bool>(false)
        let disconnects = Atomic<Int>(0)
        try await withClient(
            server.url, isConnected: false,
            onConnect: { connection in
                let attempt = attempts.add(1, ordering: .relaxed).newValue
                _ = try await connection.send(RedisCommand("RPUSH", ["log", "hook"]))
                if attempt < 3 { throw Refused() }
                while !isOpen.load(ordering: .relaxed) { _ = try await connection.send(Self.ping) }
                _ = try await connection.evaluate(ClientTests.count, keys: ["n"])
            }, onDisconnect: { disconnects.add(1, ordering: .relaxed) }
        ) { client in
            try await eventually("the third attempt holds the connection") { attempts.load(ordering: .relaxed) == 3 }
            let early = await failure { () throws(RedisError) in
                try await client.send(RedisCommand("RPUSH", ["log", "early"]))
            }
            guard case .unavailable(_, let reason) = early else {
                Issue.record("\(String(describing: early))")
                return
            }
            #expect(reason.contains("Refused"))
            #expect(client.connection == nil)
            isOpen.store(true, ordering: .relaxed)
            try await client.waitUntilConnected(timeout: .seconds(20))
            _ = try await client.send(RedisCommand("RPUSH", ["log", "later"]))
            #expect(try server.call(["LRANGE", "log", "0", "-1"]) == "hook\nhook\nhook\nlater")
            #expect(try server.call(["GET", "n"]) == "1")
            #expect(client.generation == 3)
            #expect(disconnects.load(ordering: .relaxed) == 0)
        }
        #expect(disconnects.load(ordering: .relaxed) == 1)
    }

    @Test("a connect that nobody answers can be stopped", arguments: [0, 1])
    func stopWhileConnecting(case number: Int) async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(to: .unix(path: server.unixSocket))
        try await proxy.set(.blackhole)
        var limits = testLimits()
        limits.connectTimeout = .seconds(600)
        // Nobody answers the greeting; nobody answers the TCP handshake (an address for documentation).
        let url = number == 0 ? "redis://127.0.0.1:\(proxy.port)" : "redis://192.0.2.1:6379"
        try await withClient(url, limits: limits, isConnected: false) { client in
            if number == 0 { try await eventually("connecting") { try await proxy.connectionCount() == 1 } }
            #expect(client.connection == nil)
        }
        try await proxy.stop()
    }

    struct Junk: Sendable, CustomTestStringConvertible {
        /// `nil` hangs up.
        var answer: String?
        var reason: String
        var testDescription: String { "\(answer?.prefix(12) ?? "hangs up")" }
    }

    static let junk = [
        Junk(answer: "HTTP/1.1 400 Bad Request\r\n\r\n", reason: "bytes that are not the Redis protocol"),
        Junk(answer: "*2000000\r\n", reason: "a reply of too many elements or too deep, or no memory"),
        Junk(
            answer: "$5000\r\n" + String(repeating: "x", count: 3000), reason: "a reply of more than 1024 bytes"),
        Junk(answer: nil, reason: "the server closed the connection"),
    ]

    @Test("bytes that are no answer end the call with an error", arguments: junk)
    func noAnswer(_ junk: Junk) async throws {
        let server = try await ScriptedServer([ScriptedServer.pong, junk.answer])
        var limits = testLimits()
        limits.maximumReplyBytes = 1024
        try await withClient(server.url, limits: limits) { client in
            let error = await failure { () throws(RedisError) in try await client.send(RedisCommand("GET", ["k"])) }
            #expect(error == .closed(operation: "GET", reason: junk.reason))
            try await eventually("it connects again") { client.generation > 1 }
        }
        try await server.stop()
    }

    @Test("a reply that nobody asked for closes the connection, and its error text is the reason")
    func unsolicited() async throws {
        let answered = try await ScriptedServer([ScriptedServer.pong, "+OK\r\n+more\r\n"])
        try await withClient(answered.url) { client in
            #expect(try await client.send(RedisCommand("SET", ["k", "v"])) == .status("OK"))
            try await eventually("closed and replaced") { client.generation > 1 }
        }
        try await answered.stop()
        let full = try await ScriptedServer([nil], first: "-ERR max number of clients reached\r\n")
        try await withClient(full.url, isConnected: false) { client in
            try await eventually("the reason is told") {
                let error = await failure { () throws(RedisError) in try await client.send(Self.ping) }
                return "\(String(describing: error))".contains("max number of clients reached")
            }
        }
        try await full.stop()
    }
}
