// Promise 4, against time itself: wall clocks of nodes and Redis that run ahead together make every token and every tombstone look
// over. What is forgotten then is missing once the clocks are right and the tokens live again.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.enabled(if: ShiftedClock.isAvailable, "needs a C compiler")) struct Forgetting {
        private static let ahead = 40 * 86_400

        @Test("promise 4: what was revoked stays revoked when all clocks run ahead for a while and come right")
        func clocksAhead() async throws {
            var options = ClusterOptions(nodes: 0)
            options.partitions = 1
            try await ClusterHarness.run(options) { cluster in
                let clock = try ShiftedClock(seconds: 0)
                let redis = try ShiftedRedis(clock)
                defer { redis.stop() }
                func start(_ name: String) async throws -> NodeProcess {
                    let node = try cluster.makeNode(name) {
                        $0.environment = clock.environment
                        $0.redisURL = "redis+unix://\(redis.socket)?db=0"
                    }
                    try node.start()
                    try await node.ready()
                    return node
                }
                /// How far the nodes forgot, as Redis has it.
                func past() throws -> Int {
                    Int(try redis.call(["HGET", cluster.key("{0}:head"), "past"])) ?? 0
                }
                func sweeps() async throws {
                    let before = try past()
                    try await eventually("the partition is swept") { try past() > before + 2 }
                }

                let nodes = [try await start("one"), try await start("two")]
                let one = try await nodes[0].api.issue(ClusterHarness.newUser())
                let all = try await nodes[0].api.issue(ClusterHarness.newUser())
                try await revoke(["sessionId": .string(one.id)], on: nodes[0], .cluster)
                try await revoke(["userId": .string(all.user)], on: nodes[1], .cluster)
                try await sweeps()

                try clock.move(to: Self.ahead)
                try await eventually("the tokens look over") {
                    try await nodes[0].api.validate(one.token).code == "token_expired"
                }
                for node in nodes { try await node.ready() }
                let newcomer = try await start("three")
                try await sweeps()
                #expect(try redis.call(["ZCARD", cluster.key("{0}:revoked")]) == "2")

                try clock.move(to: 0)
                for node in nodes + [newcomer] {
                    try await node.ready()
                    for session in [one, all] {
                        #expect(try await node.api.validate(session.token).code == "session_revoked")
                    }
                }
            }
        }
    }
}
