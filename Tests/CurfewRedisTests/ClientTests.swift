// The client on a real redis-server: order, scripts, bounds, who gets in.

import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import CurfewRedis

@Suite struct ClientTests {
    static let echo = RedisScript(name: "echo", source: Array("return {KEYS[1], ARGV[1]}".utf8))
    static let count = RedisScript(name: "count", source: Array("return redis.call('incr', KEYS[1])".utf8))

    @Test("many concurrent callers each get the reply to their own command, over one connection")
    func concurrency() async throws {
        let server = try await RedisServer.start()
        try await withClient(server.url) { client in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for caller in 0..<64 {
                    tasks.addTask {
                        for round in 0..<50 {
                            let text = "\(caller)/\(round)"
                            let reply = try await client.send(RedisCommand("ECHO", [RedisArgument(text)]))
                            #expect(try reply.text(for: "ECHO") == text)
                            let pair = try await client.pipeline([
                                RedisCommand("ECHO", ["a"]), RedisCommand("ECHO", [RedisArgument(text)]),
                            ])
                            #expect(pair == [.bytes([97]), .bytes(Array(text.utf8))])
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(client.generation == 1)
        }
    }

    @Test("a pipeline has nothing of other callers between its commands")
    func atomicOrder() async throws {
        let server = try await RedisServer.start()
        try await withClient(server.url) { client in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for caller in 0..<16 {
                    tasks.addTask {
                        for _ in 0..<40 {
                            let replies = try await client.pipeline([
                                RedisCommand("SET", ["k", RedisArgument(caller)]), RedisCommand("GET", ["k"]),
                            ])
                            #expect(replies == [.status("OK"), .bytes(Array("\(caller)".utf8))])
                        }
                    }
                }
                try await tasks.waitForAll()
            }
        }
    }

    @Test(
        "an error reply is thrown by send, with the operation and without the arguments, and stays a value in a pipeline"
    )
    func errors() async throws {
        let server = try await RedisServer.start()
        try await withClient(server.url) { client in
            let unknown = await failure { () throws(RedisError) in
                try await client.send(RedisCommand("NOSUCH", ["s3cret"]))
            }
            guard case .server("NOSUCH", let message) = unknown else {
                Issue.record("\(String(describing: unknown))")
                return
            }
            #expect(message.hasPrefix("ERR unknown command") && !message.contains("s3cret"))
            let replies = try await client.pipeline([
                RedisCommand("SET", ["k", "v"]), RedisCommand("INCR", ["k"]), RedisCommand("GET", ["k"]),
            ])
            #expect(replies[0] == .status("OK") && replies[2] == .bytes([118]))
            #expect(throws: RedisError.self) { try replies[1].checked(for: "INCR") }
            #expect(try await client.pipeline([]).isEmpty)
        }
    }

    @Test("a script is known again after SCRIPT FLUSH, alone and among others, and each ran once")
    func unknownScripts() async throws {
        let server = try await RedisServer.start()
        try await withClient(server.url) { client in
            for _ in 0..<2 {
                let reply = try await client.evaluate(Self.echo, keys: ["k"], arguments: ["v"])
                #expect(reply == .array([.bytes([107]), .bytes([118])]))
            }
            try server.call(["SCRIPT", "FLUSH"])
            _ = try await client.evaluate(Self.echo, keys: ["k"], arguments: ["w"])
            // Now `echo` is known and `count` is not.
            let calls = [
                RedisScriptCall(Self.count, keys: ["n"]), RedisScriptCall(Self.echo, keys: ["k"], arguments: ["x"]),
                RedisScriptCall(Self.count, keys: ["n"]),
            ]
            let replies = try await client.evaluateAll(calls, then: [RedisCommand("GET", ["n"])])
            #expect(replies[1] == .array([.bytes([107]), .bytes([120])]))
            #expect(Set([replies[0], replies[2]].map { "\($0)" }) == ["integer(1)", "integer(2)"])
            #expect(replies[3] == .bytes([50]))
            #expect(try server.call(["GET", "n"]) == "2")
            #expect(try await client.evaluateAll([]).isEmpty)
        }
    }

    @Test("past the bound a send is refused at once, what was taken is answered, and then there is room again")
    func bounded() async throws {
        let server = try await RedisServer.start()
        var limits = testLimits(commandTimeout: .seconds(30))
        limits.maximumPending = 8
        try await withClient(server.url, limits: limits) { client in
            server.pause()
            let outcomes = Outcomes()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<20 {
                    tasks.addTask {
                        let outcome = await failure { () throws(RedisError) in
                            try await client.send(RedisCommand("PING"))
                        }
                        outcomes.add(outcome)
                    }
                }
                try await eventually("the refusals are back while the server stands still") {
                    outcomes.all == Array(repeating: RedisError.overloaded(operation: "PING"), count: 12)
                }
                server.resume()
                try await tasks.waitForAll()
            }
            #expect(outcomes.all.count { $0 == nil } == 8)
            #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
        }
    }

    @Test("publish reaches listeners, never waits, and counts what it lost")
    func publish() async throws {
        let server = try await RedisServer.start()
        try await withSubscriber(server.url, channels: ["c"]) { heard in
            try await eventually("subscribed") { heard.count(of: .subscribed) == 1 }
            try await withClient(server.url) { client in
                client.publish(channel: "c", message: Array("from here".utf8))
                try await group.next().submit { client.publish(channel: "c", message: Array("from a loop".utf8)) }.get()
                try await eventually("both are heard") { heard.messages == ["from here", "from a loop"] }
                #expect(client.lostPublishCount == 0)
            }
        }
        try await withClient("redis://127.0.0.1:1", isConnected: false) { client in
            client.publish(channel: "c", message: [1])
            #expect(client.lostPublishCount == 1)
        }
    }

    @Test("a unix socket, a password, a user and a database are used")
    func addresses() async throws {
        var options = RedisServerOptions()
        options.port = .none
        options.user = "ann"
        options.password = "p@ss/w:rd %"
        let server = try await RedisServer.start(options)
        try await withClient(server.unixURL.replacing("db=0", with: "db=5")) { client in
            _ = try await client.send(RedisCommand("SET", ["k", "v"]))
            #expect(try await client.send(RedisCommand("ACL", ["WHOAMI"])) == .bytes(Array("ann".utf8)))
            #expect(try server.call(["INFO", "keyspace"]).contains("db5:keys=1"))
        }
        options.user = nil
        options.port = .plain
        options.password = "only a password"
        let second = try await RedisServer.start(options)
        try await withClient(second.url) { client in
            let who = try await client.send(RedisCommand("ACL", ["WHOAMI"]))
            #expect(who == .bytes(Array("default".utf8)))
        }
    }

    @Test("who is not let in stays unavailable, with the reason and without the password")
    func notLetIn() async throws {
        var options = RedisServerOptions()
        options.password = "right"
        let server = try await RedisServer.start(options)
        let open = try await RedisServer.start()
        let cases = [
            ("redis://:s3cret@127.0.0.1:\(server.port)", "WRONGPASS"), ("redis://127.0.0.1:\(server.port)", "NOAUTH"),
            ("redis://ann:s3cret@127.0.0.1:\(open.port)", "WRONGPASS"),
            ("redis://127.0.0.1:\(open.port)/99", "SELECT: ERR DB index is out of range"),
            ("redis://127.0.0.1:1", "onnection refused"),
            ("redis://no-such-host.invalid", "no-such-host.invalid is not known"),
            ("redis+unix:///tmp/no-such-socket", "No such file"),
        ]
        for (url, reason) in cases {
            let log = LogCapture()
            try await withClient(url, logger: log.logger, isConnected: false) { client in
                try await eventually("\(reason) is told") {
                    let error = await failure { () throws(RedisError) in
                        try await client.send(RedisCommand("GET", ["k"]))
                    }
                    guard case .unavailable("GET", let text) = error else { return false }
                    #expect(!text.contains("s3cret"))
                    return text.contains(reason)
                }
                try await eventually("\(reason) is logged") { log.text.contains(reason) }
                #expect(!log.text.contains("s3cret"))
            }
        }
    }

    @Test("a cancelled run closes the connection and what waits on it, and refuses from then on")
    func stop() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(
            transport: try testTransport(server.url), limits: testLimits(), logger: quietLogger())
        let running = Task { await client.run() }
        try await client.waitUntilConnected(timeout: .seconds(20))
        async let waiting = failure { () throws(RedisError) in
            try await client.send(RedisCommand("BLPOP", ["nothing", "0"]), timeout: .seconds(60))
        }
        try await eventually("the command waits") {
            try server.call(["INFO", "clients"]).contains("blocked_clients:1")
        }
        running.cancel()
        await running.value
        #expect(await waiting == .closed(operation: "BLPOP", reason: "stopped"))
        let after = await failure { () throws(RedisError) in try await client.send(RedisCommand("PING")) }
        #expect(after == .unavailable(operation: "PING", reason: "stopped"))
        let waited = await failure { () throws(RedisError) in try await client.waitUntilConnected(timeout: .seconds(60))
        }
        #expect(waited == .unavailable(operation: "connect", reason: "stopped"))
        try await eventually("the server sees it go") {
            try server.call(["INFO", "clients"]).contains("connected_clients:1")
        }
    }
}
