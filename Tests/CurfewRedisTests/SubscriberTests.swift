// The subscriber on a real redis-server: it hears, in order, and comes back from whatever ends its connection.

import NIOCore
import TestSupport
import Testing

@testable import CurfewRedis

@Suite struct SubscriberTests {
    /// Publishes until it is heard: the first messages of a new subscription may be missed by design.
    static func expectHeard(_ text: String, on channel: String, by heard: Heard, server: RedisServer) async throws {
        try await eventually("\(text) is heard") {
            try server.call(["PUBLISH", channel, text])
            return heard.all.contains(.message(channel, text))
        }
    }

    @Test("every channel is confirmed before onSubscribed, and messages come in order")
    func order() async throws {
        let server = try await RedisServer.start()
        let channels = (0..<700).map { "c\($0)" }
        try await withSubscriber(server.url, channels: channels + ["c0"]) { heard in
            try await eventually("subscribed") { heard.count(of: .subscribed) == 1 }
            #expect(try server.call(["PUBSUB", "NUMSUB", "c0", "c699"]) == "c0\n1\nc699\n1")
            for number in 0..<200 { try server.call(["PUBLISH", "c\(number % 700)", "\(number)"]) }
            try await eventually("all are heard") { heard.messages.count == 200 }
            #expect(heard.messages == (0..<200).map(String.init))
            #expect(heard.all.contains(.message("c7", "7")))
        }
    }

    @Test("it subscribes again after CLIENT KILL TYPE pubsub and after a restart, and says what it lost")
    func comesBack() async throws {
        let server = try await RedisServer.start()
        try await withSubscriber(server.url, channels: ["a", "b"]) { heard in
            try await eventually("subscribed") { heard.count(of: .subscribed) == 1 }
            try server.call(["CLIENT", "KILL", "TYPE", "pubsub"])
            try await eventually("subscribed again") { heard.count(of: .subscribed) == 2 }
            try await Self.expectHeard("after a kill", on: "b", by: heard, server: server)
            try await server.restart(.empty)
            try await eventually("subscribed once more") { heard.count(of: .subscribed) == 3 }
            try await Self.expectHeard("after a restart", on: "a", by: heard, server: server)
            let marks = heard.all.filter { $0 == .subscribed || $0 == .lost }
            #expect(marks == [.subscribed, .lost, .subscribed, .lost, .subscribed])
        }
    }

    @Test("a half-open connection is noticed and replaced, a quiet one is kept")
    func halfOpen() async throws {
        let server = try await RedisServer.start()
        let proxy = try await FaultProxy.start(to: .unix(path: server.unixSocket))
        var limits = testLimits()
        limits.heartbeat = .milliseconds(200)
        try await withSubscriber("redis://127.0.0.1:\(proxy.port)", channels: ["a"], limits: limits) { heard in
            try await eventually("three heartbeats were answered") {
                try Self.calls(server, "ping") >= 5 && heard.count(of: .subscribed) >= 1
            }
            let before = heard.count(of: .lost)
            try await proxy.set(.blackhole)
            try await eventually("it is noticed") { heard.count(of: .lost) == before + 1 }
            try await proxy.set(.forward)
            try await eventually("subscribed again") { heard.count(of: .subscribed) >= before + 2 }
            try await Self.expectHeard("after the hole", on: "a", by: heard, server: server)
        }
        try await proxy.stop()
    }

    @Test("who may not listen gets no onSubscribed, and is let in once it may")
    func refused() async throws {
        var options = RedisServerOptions()
        options.user = "ann"
        options.password = "pw"
        let server = try await RedisServer.start(options)
        try server.call(["ACL", "SETUSER", "ann", "resetchannels", "&a"])
        try await withSubscriber(server.url, channels: ["a", "b"]) { heard in
            try await eventually("it tried, more than once") {
                let log = try server.call(["ACL", "LOG"]).split(separator: "\n")
                return log.contains("channel") && log.dropFirst().first.flatMap { Int($0) } ?? 0 >= 2
            }
            #expect(heard.all.isEmpty)
            try server.call(["ACL", "SETUSER", "ann", "allchannels"])
            try await eventually("subscribed") { heard.count(of: .subscribed) == 1 }
        }
    }

    /// How often Redis has run a command since it started.
    static func calls(_ server: RedisServer, _ command: String) throws -> Int {
        let line = try server.call(["INFO", "commandstats"]).split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("cmdstat_\(command):calls=") }
        return line.flatMap { Int($0.split(separator: "=")[1].prefix { $0.isNumber }) } ?? 0
    }
}
