// What members of a Redis Cluster say of it: read strictly, and the best informed is believed.

import Testing

@testable import CurfewRedis

@Suite struct SlotMapTests {
    static let asked = ClusterMember(host: "asked", port: 7000)

    static func text(_ text: String) -> RedisValue { .bytes(Array(text.utf8)) }
    static func member(_ host: RedisValue, _ port: Int64) -> RedisValue {
        .array([host, .integer(port), text("07c37df…"), .array([])])
    }
    static func member(_ host: String, _ port: Int64) -> RedisValue { member(text(host), port) }
    static func range(_ first: Int64, _ last: Int64, _ members: RedisValue...) -> RedisValue {
        .array([.integer(first), .integer(last)] + members)
    }
    static func sighting(
        _ state: String, _ epoch: String, _ reply: RedisValue = .array([])
    ) throws -> ClusterSighting {
        let info = "cluster_enabled:1\r\ncluster_state:\(state)\r\ncluster_current_epoch:\(epoch)\r\n"
        return try ClusterSighting([text(info), reply], asked: asked)
    }

    @Test("a slot is its range's primary's, whatever the order, and nobody's where no range has it")
    func primaries() throws {
        let map = try SlotMap(
            .array([
                Self.range(5461, 10922, Self.member("b", 7001), Self.member("d", 7003)),
                Self.range(0, 5460, Self.member("a", 7000)),
                Self.range(16_383, 16_383, Self.member("c", 7002)),
            ]), asked: Self.asked)
        for (slot, host) in [(0, "a"), (5460, "a"), (5461, "b"), (10_922, "b"), (16_383, "c")] {
            #expect(map.primary(of: slot)?.host == host)
        }
        for slot in [10_923, 16_382] { #expect(map.primary(of: slot) == nil) }
        #expect(map.coveredSlots == 10_924)
        #expect(map.members.map(\.host).sorted() == ["a", "b", "c", "d"])
    }

    @Test("no host is the host that was asked", arguments: [RedisValue.null, .bytes([])])
    func ownHost(host: RedisValue) throws {
        let map = try SlotMap(.array([Self.range(0, 1, Self.member(host, 7009))]), asked: Self.asked)
        #expect(map.primary(of: 0) == ClusterMember(host: "asked", port: 7009))
    }

    @Test(
        "what is not a map is refused as a whole",
        arguments: [
            .null, .integer(1), .array([.integer(1)]), .array([range(0, 1)]), .array([range(2, 1, member("a", 1))]),
            .array([range(-1, 1, member("a", 1))]), .array([range(0, 16_384, member("a", 1))]),
            .array([range(0, 1, member("a", 0))]), .array([range(0, 1, member("a", 65_536))]),
            .array([range(0, 1, member("?", 1))]), .array([range(0, 1, .array([text("a")]))]),
            .array([range(0, 5, member("a", 1)), range(5, 6, member("b", 1))]),
            .error("ERR This instance has cluster support disabled"),
        ] as [RedisValue])
    func unreadable(reply: RedisValue) {
        #expect(throws: RedisError.self) { try SlotMap(reply, asked: Self.asked) }
    }

    @Test("of two members the one that reaches the majority is believed, then the one that knows of more")
    func trust() throws {
        let some = RedisValue.array([Self.range(0, 1, Self.member("a", 1))])
        let rising = [
            try Self.sighting("fail", "6"), try Self.sighting("fail", "90"), try Self.sighting("ok", "6"),
            try Self.sighting("ok", "6", some), try Self.sighting("ok", "7"),
        ]
        for (index, one) in rising.enumerated() {
            for other in rising[(index + 1)...] { #expect(one < other && !(other < one)) }
        }
        #expect(throws: RedisError.self) { try Self.sighting("ok", "many") }
    }

    @Test("an address is written as a URL would have it")
    func addresses() {
        #expect("\(ClusterMember(host: "h", port: 1))" == "h:1")
        #expect("\(ClusterMember(host: "::1", port: 1))" == "[::1]:1")
    }
}

@Suite struct RedirectTests {
    @Test(
        "a redirect is read, and nothing else is taken for one",
        arguments: [
            ("MOVED 3999 127.0.0.1:6381", .moved(slot: 3999, host: "127.0.0.1", port: 6381)),
            ("MOVED 3999 fd00::1:6381", .moved(slot: 3999, host: "fd00::1", port: 6381)),
            ("MOVED 0 :6381", .moved(slot: 0, host: nil, port: 6381)),
            ("ASK 16383 redis-4.example:1", .ask(slot: 16_383, host: "redis-4.example", port: 1)),
            ("TRYAGAIN Multiple keys request during rehashing of slot", .tryAgain),
            ("CLUSTERDOWN Hash slot not served", .clusterDown), ("CLUSTERDOWN The cluster is down", .clusterDown),
            ("MOVED 16384 h:1", nil), ("MOVED -1 h:1", nil), ("MOVED 1 h", nil), ("MOVED 1 h:0", nil),
            ("MOVED 1", nil), ("MOVED", nil), ("ASK x h:1", nil), ("", nil), ("ERR MOVED 1 h:1", nil),
            ("ERR Script attempted to access a non local key in a cluster node", nil),
            ("READONLY You can't write against a read only replica.", nil),
        ] as [(String, Redirect?)])
    func table(message: String, redirect: Redirect?) {
        #expect(Redirect(message) == redirect)
        #expect(Redirect(RedisError.server(operation: "revoke", message: message)) == redirect)
        #expect(Redirect(RedisError.timeout(operation: message)) == nil)
    }
}
