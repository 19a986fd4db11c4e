// Sentinels: what is understood of their answers, whom to ask next, and a transport that trusts none of them before the
// server that they name has confirmed its role.

import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import CurfewRedis

@Suite struct SentinelAnswerTests {
    static func fields(_ pairs: [String]) -> RedisValue { .array(pairs.map { .bytes(Array($0.utf8)) }) }

    static let unknown = RedisValue.error("ERR No such master with that name")

    @Test("the primary, the other sentinels and the time of a failover are read")
    func whole() throws {
        let answer = try SentinelAnswer([
            Self.fields(["10.0.0.1", "6379"]),
            .array([
                Self.fields(["name", "x", "ip", "10.0.0.2", "port", "26379", "flags", "sentinel"]),
                Self.fields(["name", "y", "ip", "::1", "port", "26380"]), Self.fields(["ip", "10.0.0.3", "port", "0"]),
            ]), Self.fields(["name", "sessions", "down-after-milliseconds", "30000", "odd"]),
        ])
        #expect(answer.primary == .tcp(host: "10.0.0.1", port: 6379))
        #expect(answer.others == [.tcp(host: "10.0.0.2", port: 26379), .tcp(host: "::1", port: 26380)])
        #expect(answer.failoverDelay == .seconds(30))
    }

    @Test("a sentinel that knows no such name, or refuses all but the address, is understood")
    func partly() throws {
        let none = try SentinelAnswer([.null, Self.unknown, Self.unknown])
        #expect(none.primary == nil && none.others.isEmpty && none.failoverDelay == nil)
        let some = try SentinelAnswer([Self.fields(["h", "1"]), .error("NOPERM"), .error("NOPERM")])
        #expect(some.primary == .tcp(host: "h", port: 1))
    }

    @Test(
        "what is no address is an error",
        arguments: [
            .error("NOAUTH"), .integer(1), fields(["h"]), fields(["h", "1", "2"]), fields(["h", "p"]),
            fields(["", "1"]),
            fields(["h", "65536"]),
        ] as [RedisValue])
    func malformed(first: RedisValue) {
        #expect(throws: RedisError.self) { try SentinelAnswer([first, .null, .null]) }
    }

    @Test("a switch names the primary and its new address")
    func switches() {
        let change = SentinelSwitch("sessions 10.0.0.1 6379 10.0.0.2 6380")
        #expect(change?.name == "sessions")
        #expect(change?.to == .tcp(host: "10.0.0.2", port: 6380))
        for text in ["", "sessions", "sessions 10.0.0.1 6379 10.0.0.2 x", "a b c d e f"] {
            #expect(SentinelSwitch(text) == nil)
        }
    }
}

@Suite struct SentinelRosterTests {
    static func sentinel(_ number: Int) -> RedisAddress.Endpoint { .tcp(host: "s", port: number) }

    private func ports(_ roster: SentinelRoster) -> [Int] {
        roster.order.map { if case .tcp(_, let port) = $0 { port } else { 0 } }
    }

    @Test("the one that answered last is asked first, one that failed last, and a failure is news once")
    func order() {
        var roster = SentinelRoster([1, 2, 3, 2].map(Self.sentinel))
        #expect(ports(roster) == [1, 2, 3])
        let failures = (roster.failed(Self.sentinel(1)), roster.failed(Self.sentinel(1)))
        #expect(failures == (true, false))
        #expect(ports(roster) == [2, 3, 1])
        roster.answered(Self.sentinel(3), others: [])
        #expect(ports(roster) == [3, 2, 1])
        roster.moveBack(Self.sentinel(3))
        #expect(ports(roster) == [2, 1, 3])
        roster.answered(Self.sentinel(1), others: [])
        let isNewsAgain = roster.failed(Self.sentinel(1))
        #expect(isNewsAgain)
    }

    @Test("others are taken over as the last answer names them, bounded; what was configured stays")
    func learned() {
        var roster = SentinelRoster([Self.sentinel(1)])
        roster.answered(Self.sentinel(1), others: [2, 3].map(Self.sentinel))
        #expect(ports(roster) == [1, 2, 3])
        _ = roster.failed(Self.sentinel(1))
        roster.answered(Self.sentinel(2), others: [4].map(Self.sentinel))
        #expect(ports(roster) == [2, 1, 4])
        roster.answered(Self.sentinel(2), others: (10..<100).map(Self.sentinel))
        #expect(roster.order.count == 2 + SentinelRoster.maximumLearned)
        #expect(ports(roster).contains(1))
    }
}

@Suite struct SentinelURLTests {
    @Test("a URL names sentinels, what they watch, and the credentials and database of that")
    func parts() throws {
        guard
            case .sentinel(let group) = try RedisTopology(
                url: "redis+sentinel://ann:pa55@a,[::1]:7,b:26380/my%20name/2", sentinelUser: "sen",
                sentinelPassword: "t1nel")
        else { throw RedisAddressError(problem: "not sentinels") }
        #expect(group.name == "my name")
        #expect(group.sentinels.map(\.hostAndPort) == ["a:26379", "[::1]:7", "b:26380"])
        let redis = group.address(.tcp(host: "r", port: 1))
        #expect([redis.user, redis.password] == ["ann", "pa55"] && redis.database == 2)
        let sentinel = group.sentinelAddress(group.sentinels[0])
        #expect([sentinel.user, sentinel.password] == ["sen", "t1nel"] && sentinel.database == 0)
        #expect("\(group)" == "redis+sentinel://ann:***@a:26379,[::1]:7,b:26380/my name/2")
        #expect(RedisTopology.name(ofURL: "rediss+sentinel://h/n") == "sentinel")
        #expect(RedisTopology.name(ofURL: "redis+cluster://h") == "cluster")
        #expect(RedisTopology.name(ofURL: "redis://h") == "single")
    }

    @Test(
        "sentinels without a name are refused",
        arguments: ["redis+sentinel://h", "redis+sentinel://h/", "redis+sentinel://h//1"])
    func nameless(url: String) {
        #expect(throws: RedisAddressError.self) { try RedisTopology(url: url) }
    }
}

@Suite struct SentinelTransportTests {
    /// The answer of a sentinel, as it goes over the wire.
    static func naming(_ port: Int) -> [String?] {
        let number = "\(port)"
        let address = "*2\r\n$9\r\n127.0.0.1\r\n$\(number.utf8.count)\r\n\(number)\r\n"
        return [ScriptedServer.pong, address + "*0\r\n" + "*2\r\n$23\r\ndown-after-milliseconds\r\n$4\r\n5000\r\n"]
    }

    static let unknown: [String?] = [
        ScriptedServer.pong, "*-1\r\n-ERR No such master with that name\r\n-ERR No such master with that name\r\n",
    ]

    static func transport(_ ports: [Int], logger: LogCapture = LogCapture()) throws -> SentinelTransport {
        let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        guard case .sentinel(let group) = try RedisTopology(url: "redis+sentinel://:s3cret@\(hosts)/sessions") else {
            throw RedisAddressError(problem: "not sentinels")
        }
        return SentinelTransport(
            group: group, eventLoop: CurfewRedisTests.group.next(), limits: testLimits(), logger: logger.logger)
    }

    /// Why no connection comes about.
    static func reason(_ transport: SentinelTransport) async throws -> String {
        let error = await failure { () throws(RedisError) in try await transport.connect(generation: 1) }
        return ConnectFailure.reason(of: try #require(error))
    }

    static func server(replicaOf port: Int? = nil) async throws -> RedisServer {
        var options = RedisServerOptions()
        options.password = "s3cret"
        options.configuration = port.map { ["replicaof 127.0.0.1 \($0)"] } ?? []
        return try await RedisServer.start(options)
    }

    @Test("sentinels that are away, stand still or know no such name are passed over, and the one that answers is kept")
    func passedOver() async throws {
        let server = try await Self.server()
        let mute = try await ScriptedServer([])
        let stranger = try await ScriptedServer(Self.unknown)
        let sentinel = try await ScriptedServer(Self.naming(server.port))
        let log = LogCapture()
        let transport = try Self.transport([1, mute.port, stranger.port, sentinel.port], logger: log)
        #expect(transport.address == transport.name)
        let link = try await transport.connect(generation: 7)
        #expect(link.generation == 7)
        #expect(try await link.send(RedisCommand("PING")) == .status("PONG"))
        #expect(transport.address == "redis://:***@127.0.0.1:\(server.port)/0")
        #expect(transport.failoverDelay == .seconds(5))
        #expect(transport.state.withLock { $0.roster.first } == .tcp(host: "127.0.0.1", port: sentinel.port))
        #expect(log.text.contains("no answer to PING in time") && log.text.contains("knows no primary of this name"))
        #expect(!log.text.contains("s3cret"))
        link.close(reason: "test")
        for server in [mute, stranger, sentinel] { try await server.stop() }
    }

    @Test("a server that says itself that it is a replica is not used, and another sentinel is asked next")
    func wrongRole() async throws {
        let primary = try await Self.server()
        let replica = try await Self.server(replicaOf: primary.port)
        let late = try await ScriptedServer(Self.naming(replica.port))
        let right = try await ScriptedServer(Self.naming(primary.port))
        let transport = try Self.transport([late.port, right.port])
        let reason = try await Self.reason(transport)
        #expect(
            reason
                == "primary 127.0.0.1:\(replica.port): a sentinel names it the primary of sessions, but it is a slave")
        let link = try await transport.connect(generation: 2)
        #expect(transport.address.contains(":\(primary.port)/"))
        link.close(reason: "test")
        for server in [late, right] { try await server.stop() }
    }

    @Test("with no sentinel of use the reason names each, once a kind")
    func noneOfUse() async throws {
        let strangers = [try await ScriptedServer(Self.unknown), try await ScriptedServer(Self.unknown)]
        let ports = strangers.map(\.port).sorted()
        let transport = try Self.transport([1] + ports)
        let reason = try await Self.reason(transport)
        #expect(reason.hasPrefix("no sentinel names the primary sessions (127.0.0.1:1: "))
        #expect(
            reason.hasSuffix("127.0.0.1:\(ports[0]), 127.0.0.1:\(ports[1]): knows no primary of this name)"),
            "\(reason)")
        #expect(try await Self.reason(transport) == reason)
        for server in strangers { try await server.stop() }
    }

    @Test("the sentinels' credentials are their own, and in no text")
    func credentials() async throws {
        let server = try await Self.server()
        var options = RedisServerOptions()
        options.isSentinel = true
        options.password = "of-sentinels"
        options.configuration = [
            "sentinel monitor sessions 127.0.0.1 \(server.port) 1", "sentinel auth-pass sessions s3cret",
        ]
        let sentinel = try await RedisServer.start(options)
        let url = "redis+sentinel://:s3cret@127.0.0.1:\(sentinel.port)/sessions/3"
        for (password, isRight) in [("of-sentinels", true), ("wr0ng", false), (nil, false)] {
            guard case .sentinel(let group) = try RedisTopology(url: url, sentinelPassword: password) else { return }
            #expect("\(group)" == "redis+sentinel://:***@127.0.0.1:\(sentinel.port)/sessions/3")
            let log = LogCapture()
            let transport = SentinelTransport(
                group: group, eventLoop: CurfewRedisTests.group.next(), limits: testLimits(), logger: log.logger)
            if isRight {
                let link = try await transport.connect(generation: 1)
                _ = try await link.send(RedisCommand("SET", ["k", "v"]))
                #expect(try server.call(["INFO", "keyspace"]).contains("db3:keys=1"))
                link.close(reason: "test")
            } else {
                let reason = try await Self.reason(transport)
                #expect(reason.contains(password == nil ? "NOAUTH" : "WRONGPASS"))
                #expect(!reason.contains("wr0ng") && !log.text.contains("wr0ng"))
            }
        }
    }
}

@Suite struct SentinelWatchTests {
    /// The first sentinel lets nobody subscribe; the second is a plain server, where the test may publish.
    @Test("the watch moves on to a sentinel that lets it listen, and a move ends connections to the former primary")
    func moved() async throws {
        let former = try await SentinelTransportTests.server()
        let named = try await ScriptedServer(SentinelTransportTests.naming(former.port))
        let teller = try await RedisServer.start()
        let transport = try SentinelTransportTests.transport([teller.port, named.port])
        let link = try await transport.connect(generation: 1)
        let ends = Mutex<[String]>([])
        link.whenClosed { reason in ends.withLock { $0.append(reason) } }
        let heard = Heard()
        let watching = Task { await transport.watch() }
        let subscribing = Task { () -> String in
            let callbacks = SubscriberCallbacks(
                onMessage: { _, _ in }, onSubscribed: { heard.add(.subscribed) }, onLost: { heard.add(.lost) })
            return (try? await transport.subscribe(to: ["c"], .ordinary, callbacks)) ?? "none"
        }
        try await eventually("both listen") {
            try heard.count(of: .subscribed) == 1
                && teller.call(["PUBSUB", "NUMSUB", SentinelSwitch.channel]).hasSuffix("\n1")
        }
        func tell(_ name: String, _ port: Int) throws {
            try teller.call(["PUBLISH", SentinelSwitch.channel, "\(name) 127.0.0.1 1 127.0.0.1 \(port)"])
        }
        try tell("others", teller.port)
        try tell("sessions", former.port)
        try await eventually("the move is heard") { transport.connections.moves == 1 }
        #expect(try await link.send(RedisCommand("PING")) == .status("PONG"))
        #expect(heard.count(of: .lost) == 0)
        try tell("sessions", teller.port)
        await link.waitUntilClosed()
        #expect(await subscribing.value == SentinelTransport.hasMoved)
        #expect(ends.withLock { $0 } == [SentinelTransport.hasMoved])
        let another = try await transport.connect(generation: 2)
        let second = Mutex(0)
        another.whenClosed { _ in second.withLock { $0 += 1 } }
        another.close(reason: "test")
        await another.waitUntilClosed()
        try await eventually("everybody who asked is told of the end, the list of connections too") {
            second.withLock { $0 } == 1 && transport.connections.count == 0
        }
        let error = await failure { () throws(RedisError) in try await link.send(RedisCommand("PING")) }
        #expect(error == .unavailable(operation: "PING", reason: SentinelTransport.hasMoved))
        watching.cancel()
        await watching.value
        try await named.stop()
    }
}

@Suite struct PrimaryConnectionTests {
    @Test("a move ends what is connected elsewhere, and what was on its way there is not let through")
    func moves() {
        let (old, new) = (SentinelRosterTests.sentinel(1), SentinelRosterTests.sentinel(2))
        let connections = PrimaryConnections()
        let ended = Mutex<[String]>([])
        let asked = connections.moves
        #expect(connections.add(to: old, since: asked) { ended.withLock { $0.append("old") } } != nil)
        let gone = connections.add(to: old, since: asked) { ended.withLock { $0.append("gone") } }
        gone.map(connections.remove)
        #expect(connections.add(to: new, since: asked) { ended.withLock { $0.append("new") } } != nil)
        connections.move(to: new)
        #expect(ended.withLock { $0 } == ["old"])
        #expect(connections.add(to: old, since: asked) {} == nil)
        #expect(connections.add(to: new, since: asked) {} != nil)
        connections.move(to: new)
        #expect(ended.withLock { $0 } == ["old"])
    }
}
