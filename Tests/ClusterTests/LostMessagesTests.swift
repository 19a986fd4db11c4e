// Promise 4, first half: pub/sub is only the fast path. Whatever a subscriber missed is in the log, and the next poll sees it.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct LostMessages {
        @Test("promise 4: a revoke that pub/sub lost is repaired from the log", arguments: rounds)
        func subscribersKilled(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            for number in 0..<10 {
                let session = try await cluster.nodes[number % 3].api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([session])
                try await eventually("a subscription is killed") {
                    try cluster.redis.call(["CLIENT", "KILL", "TYPE", "pubsub"]) != "0"
                }
                try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[number % 3])
                try await cluster.expectRevoked([session])
            }
        }

        @Test(
            "promise 4: revokes while every subscription dies again and again are all repaired, and fences hold",
            arguments: rounds)
        func subscribersKilledAllTheTime(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let redis = cluster.redis
            let killer = Task {
                try? await eventually(deadline: .seconds(120), "the test is over", every: .milliseconds(3)) {
                    try redis.call(["CLIENT", "KILL", "TYPE", "pubsub"])
                    return Task.isCancelled
                }
            }
            defer { killer.cancel() }
            var revoked: [TestSession] = []
            for number in 0..<10 {
                let session = try await cluster.nodes[number % 3].api.issue(ClusterHarness.newUser())
                let options = number % 2 == 0 ? RevokeOptions.cluster : .none
                let answer = try await revoke(
                    ["userId": .string(session.user)], on: cluster.nodes[(number + 1) % 3], options)
                if number % 2 == 0 {
                    try await cluster.expectRevokedNow([session])
                    #expect(["acknowledged", "fenced"].contains(answer["propagation"]["state"].string))
                }
                revoked.append(session)
            }
            try await cluster.expectRevoked(revoked)
        }

        @Test("promise 4: a node whose connections all drop hears what was revoked meanwhile", arguments: rounds)
        func connectionsDropped(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            for number in 0..<5 {
                let first = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                let second = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([first, second])
                try await cluster.proxies[1].refuse()
                try await cluster.proxies[1].dropAll()
                try await revoke(["sessionId": .string(first.id)], on: cluster.nodes[0])
                try await revoke(["userId": .string(second.user)], on: cluster.nodes[2])
                if number % 2 == 0 {
                    // Long enough for the node to be stale when it comes back.
                    try await eventually("node 2 is not ready") { await !cluster.nodes[1].api.isReady() }
                }
                try await cluster.proxies[1].accept()
                try await cluster.expectRevoked([first, second])
                try await cluster.ready()
            }
        }
    }
}
