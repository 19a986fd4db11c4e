// Logins and revokes while a slot is on its way, and a part of a Redis Cluster that sees no majority: what Redis says then
// (ASK, TRYAGAIN, CLUSTERDOWN) has run nothing, and whoever was answered can rely on it.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.redisCluster()) struct RedisClusterWrites {
        private typealias Harness = RedisClusterHarness

        @Test("logins and revokes go on while a slot moves: what was answered holds, the rest is 503")
        func writesDuringReshard() async throws {
            let cluster = try await Harness.ready()
            try await cluster.settle()
            let partition = 3
            let slot = try cluster.slot(of: partition)
            let (source, target) = (try cluster.owner(of: partition), try cluster.owner(of: 0))
            try #require(source !== target)
            let live = try await cluster.issue(in: partition, on: 0)
            let redirects = ["ASK", "TRYAGAIN"]
            // (Redis counts them since 7.0.)
            let countsRedirects = try cluster.redis.isSharded()
            let before = try source.errorCounts()
            let load = WriteLoad(cluster.nodes, live: live, of: { cluster.newUser(in: partition) })
            try await load.during(on: cluster) {
                try await eventually("the load runs") { load.revokedCount > 10 }
                try cluster.redis.beginMove(of: slot, from: source, to: target)
                // New keys are answered ASK, scripts with some of their keys there TRYAGAIN, and the first common key that
                // leaves stops all of them.
                try await eventually("each kind of redirection was answered") {
                    _ = try cluster.redis.moveKeys(of: slot, count: 1, from: source, to: target)
                    let now = try source.errorCounts()
                    return !countsRedirects || redirects.allSatisfy { now[$0, default: 0] > before[$0, default: 0] }
                }
                while try cluster.redis.moveKeys(of: slot, count: 3, from: source, to: target) {}
                try cluster.redis.endMove(of: slot, from: source, to: target)
                let moved = load.revokedCount
                try await eventually("the load runs again") { load.revokedCount > moved + 10 }
            }
            #expect(try cluster.owner(of: partition) === target)
        }

        @Test("a primary that sees no majority is answered for by nobody, and all that was revoked is, once it does")
        func noMajority() async throws {
            let cluster = try await Harness.ready()
            try await cluster.settle()
            let minority = try cluster.owner(of: 1)
            let own = try (0..<Harness.partitions).filter { try cluster.owner(of: $0) === minority }
            let revoked = try await cluster.issue(in: own[0], on: 0)
            let live = try await cluster.issueEverywhere(but: [])
            try await revoke(["userId": .string(revoked.user)], on: cluster.nodes[0], .cluster)
            let moment = BootClock.now
            let user = cluster.newUser(in: own[0])
            // (Redis counts them since 7.0.)
            let countsRedirects = try cluster.redis.isSharded()
            let before = try minority.errorCounts()["CLUSTERDOWN", default: 0]
            let hammer = Hammer(cluster.nodes, [revoked] + live)
            try await hammer.sees(20)

            let others = cluster.redis.members.filter { $0 !== minority }
            for member in others { member.pause() }
            for (node, session) in zip(cluster.nodes + cluster.nodes + cluster.nodes, live) {
                try await eventually("\(node.name) refuses what it can't know") {
                    try await node.api.validate(session.token).code == "revocation_state_stale"
                }
            }
            if countsRedirects { #expect(try minority.errorCounts()["CLUSTERDOWN", default: 0] > before) }
            #expect(try await cluster.nodes[1].api.revoke(["userId": .string(user)]).status == 503)
            for member in others { member.resume() }

            try await cluster.redis.settled()
            try await cluster.ready()
            try await hammer.sees(20)
            let samples = await hammer.stop()
            cluster.expectAlwaysRevoked(samples, of: revoked.token, after: moment)
            for session in live { cluster.expectNeverRefused(samples, of: session.token) }
            try await cluster.expectActive(live)
            try await cluster.expectRevokedNow([revoked])
            try await cluster.settle()
        }
    }
}
