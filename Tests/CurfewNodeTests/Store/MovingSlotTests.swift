// A script in a slot that is on the move: Redis Cluster refuses each single command of it whose key is not there (any more).

import CurfewCore
import CurfewRedis
import TestSupport
import Testing

@testable import CurfewNode

@Suite("A script in a slot that moves")
struct MovingSlotTests {
    private typealias Bench = ScriptBench

    @Test("is not begun where a key is missing, and where it is stopped in the middle its event has been written")
    func stoppedInTheMiddle() async throws {
        var options = RedisServerOptions()
        options.clusterNodeTimeoutMilliseconds = 5_000
        let target = try await RedisServer.start(options)
        defer { target.stop() }
        try await Bench.run(on: options) { bench in
            try bench.server.call(["CLUSTER", "ADDSLOTS"] + (0..<Int(KeySlot.count)).map(String.init))
            try bench.server.call(["CLUSTER", "MEET", "127.0.0.1", "\(target.port)"])
            let id = try target.call(["CLUSTER", "MYID"])
            let slot = try bench.command("CLUSTER", "KEYSLOT", "t:{3}:head")
            #expect(slot == "\(KeySlot.of("t:{3}:head"))")
            try await eventually("the two know each other") {
                try bench.command("CLUSTER", "INFO").contains("cluster_state:ok")
                    && bench.command("CLUSTER", "NODES").split(separator: "\n").contains { line in
                        line.hasPrefix(id) && line.contains(" master ")
                    }
            }
            let head = try await bench.open()
            let known = bench.known(head.incarnation)
            _ = try await bench.poll(head.head)
            // So that every key that the scripts share is there.
            _ = try await bench.revoke(.everyone, known: known)
            let (first, _) = try await bench.issue(1, device: "phone", idle: 100)
            let (second, _) = try await bench.issue(2, device: "phone", idle: 100)
            for session in [first, second] { _ = try bench.command("HSET", "t:{3}:s:\(session)", "a", "1") }
            try bench.server.call(["CLUSTER", "SETSLOT", slot, "MIGRATING", id])

            let refused = await redirect { _ = try await bench.issue(3) }
            #expect(refused != nil, "a record that is being made is in no slot on the move")
            #expect(try keys(bench, slot).count { $0.contains(":s:") } == 2)

            // The first that goes empties the index, and the second is not allowed to ask for it.
            let user = try #require(UserID(Bench.user))
            let phone = try #require(DeviceID("phone"))
            let index = "t:{3}:u:\(Bench.user)"
            try bench.server.call(["ZREM", index, "\(second) phone"])
            let wall = try await bench.open().time.seconds
            let expire = bench.calls.expire(
                [(first, user, phone), (second, user, phone)], in: Bench.partition,
                bench.known(head.incarnation, wall: wall))
            await #expect(throws: RedisError.self) { try await bench.redis.run(expire) }
            #expect(!(try keys(bench, slot).contains { $0 == index }), "the script has to be stopped in the middle")
            #expect(try bench.command("ZCARD", "t:{3}:due") == "2", "what is left to do is still named")
            let last = try bench.command("XREVRANGE", "t:{3}:log", "+", "-", "COUNT", "1")
            for session in [first, second] { #expect(last.contains(session.description)) }
        }
    }

    /// Asked for so, a key that is not there is no redirect.
    private func keys(_ bench: Bench, _ slot: String) throws -> [Substring] {
        try bench.command("CLUSTER", "GETKEYSINSLOT", slot, "100").split(separator: "\n")
    }

    private func redirect(_ body: () async throws -> Void) async -> Redirect? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? RedisError).flatMap { Redirect($0) }
        }
    }
}
