// A slot that leaves its primary and returns, while a node stands still: by all that one Redis can say of itself, nothing has
// happened. What was fenced meanwhile, and lost elsewhere, must be dead on that node all the same.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.redisCluster(stalenessBoundMilliseconds: 2_000)) struct RedisClusterReturn {
        private typealias Harness = RedisClusterHarness

        @Test("a node that stood still while a slot was elsewhere is a newcomer at the primary that it knows")
        func awayAndBack() async throws {
            let cluster = try await Harness.ready()
            try await cluster.settle()
            let partition = 3
            let (slot, sleeper) = (try cluster.slot(of: partition), cluster.nodes[2])
            let (home, away) = (try cluster.owner(of: partition), try cluster.owner(of: 0))
            let doomed = try await cluster.issue(in: partition, on: 0)
            let live = try await cluster.issue(in: partition, on: 0)
            try await cluster.expectActive([doomed, live])
            sleeper.pause()
            try await move(slot, from: home, to: away, cluster)
            for node in cluster.nodes[..<2] { try await node.ready() }

            // The revoke is fenced by waiting the sleeper out; then it is lost, as by a failover to who never had it.
            let saved = ["head", "log", "revoked", "values", "nodes"].map { cluster.key("{\(partition)}:\($0)") }
            for key in saved { try away.call(["COPY", key, key + ":saved"]) }
            try await revoke(["userId": .string(doomed.user)], on: cluster.nodes[0], .cluster)
            let returned = BootClock.now
            for node in cluster.nodes[..<2] { node.pause() }
            for key in saved { try away.call(["COPY", key + ":saved", key, "REPLACE"]) }
            try await move(slot, from: away, to: home, cluster)

            let hammer = Hammer([sleeper], [doomed, live])
            let polls = { try home.call(["HGETALL", cluster.key("{\(partition)}:nodes")]) }
            for _ in 0..<2 {
                let before = try polls()
                sleeper.resume()
                try await eventually("the sleeper polls its old primary") { try polls() != before }
            }
            for node in cluster.nodes[..<2] { node.resume() }
            try await cluster.ready()
            try await hammer.sees(20)
            let samples = await hammer.stop()
            #expect(samples.active(beganAfter: returned, of: doomed.token).isEmpty, "\(samples.tally)")
            cluster.expectNeverRefused(samples, of: live.token)
            try await cluster.expectRevokedNow([doomed])
            try await cluster.expectActive([live])
        }

        private func move(
            _ slot: Int, from source: RedisServer, to target: RedisServer, _ cluster: Harness
        ) async throws {
            try cluster.redis.beginMove(of: slot, from: source, to: target)
            while try cluster.redis.moveKeys(of: slot, count: 100, from: source, to: target) {}
            try cluster.redis.endMove(of: slot, from: source, to: target)
            try await eventually("every member knows who has the slot") {
                try cluster.redis.members.allSatisfy { try cluster.redis.owner(of: slot, asked: $0) === target }
            }
        }
    }
}
