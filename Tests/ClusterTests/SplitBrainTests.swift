// Two primaries at once, of which one is cut off: with `min-replicas-to-write 1` nobody stays fresh on its side; without it the
// nodes say that they can't exclude it.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct SplitBrain {
        /// One side has the first server, a sentinel and a node; the other has the replicas, the usual sentinels and a node.
        ///
        /// The sentinel of the first side reaches that server directly and nothing else: its user exists there only, and
        /// the other sentinels reach it through a proxy. What crosses between the sides goes through two proxies.
        @Test("with min-replicas-to-write no node stays fresh on the side of a primary that was cut off")
        func isolated() async throws {
            let options = SentinelOptions(downAfterMilliseconds: 6_000, maximumLagSeconds: 3)
            try await SentinelDeployment.run(options) { redis in
                let port = try ReservedPort()
                let lineToSentinel = try await FaultProxy.start(to: .tcp(host: "127.0.0.1", port: port.number))
                let first = redis.servers[0]
                try first.call(["ACL", "SETUSER", "inside", "on", ">inside-pass", "~*", "&*", "+@all"])
                var inside = SentinelDeployment.sentinel(
                    options, of: first.port,
                    configuration: [
                        "sentinel auth-user \(SentinelDeployment.name) inside",
                        "sentinel auth-pass \(SentinelDeployment.name) inside-pass",
                        "sentinel announce-ip 127.0.0.1", "sentinel announce-port \(lineToSentinel.port)",
                    ])
                inside.port = .none
                inside.configuration.append("port \(port.number)")
                let sentinel = try await RedisServer.start(inside)
                defer { sentinel.stop() }
                let cluster = try SentinelCluster(
                    redis, sentinels: [[port.number], redis.sentinels.map(\.port)])
                try await cluster.running {
                    try await splitAndHeal(cluster, lines: [redis.lineToFirst, lineToSentinel])
                }
                try await lineToSentinel.stop()
            }
        }

        private func splitAndHeal(_ cluster: SentinelCluster, lines: [FaultProxy]) async throws {
            let (redis, inside, outside) = (cluster.redis, cluster.nodes[0], cluster.nodes[1])
            let first = redis.servers[0]
            let live = try await inside.api.issue(ClusterHarness.newUser())
            let doomed = try await inside.api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([live, doomed])
            let hammer = Hammer([inside], [live, doomed])
            for line in lines { try await line.set(.blackhole) }
            // What the primary takes now and then is its own write: the last of them that it took is before this moment.
            try await eventually(deadline: .seconds(30), "the primary that was cut off refuses writes") {
                do { return try first.call(["SET", "probe", "x"]).isEmpty } catch {
                    return "\(error)".contains("NOREPLICAS")
                }
            }
            let refused = BootClock.now
            try await redis.hasFailedOver()
            try await outside.ready(within: .seconds(60))
            let answer = try await outside.api.revoke(["userId": .string(doomed.user)], .cluster)
            #expect(answer.status == 200)
            let revoked = BootClock.now
            #expect(try first.call(["ROLE"]).hasPrefix("master"))
            try await hammer.sees(20)
            let outage = try await inside.api.validate(live.token)
            #expect(outage.status == 503 && outage.code == "revocation_state_stale")
            for options in [RevokeOptions.none, .cluster] {
                let refusal = try await inside.api.revoke(["userId": .string(ClusterHarness.newUser())], options)
                #expect(refusal.status == 503, "\(refusal.everything)")
            }
            #expect(try await cluster.view(inside)["address"].string?.contains(":\(first.port)/") == true)
            let healing = BootClock.now
            for line in lines { try await line.set(.forward) }
            try await cluster.haveMoved()
            try await cluster.expectActive([live])
            try await cluster.expectRevokedNow([doomed])
            let samples = await hammer.stop()
            #expect(samples.contains { $0.isActive && $0.began < refused })
            let late = samples.filter { $0.began > refused + cluster.stalenessBound && $0.ended < healing }
            #expect(!late.isEmpty && late.noneActive, "\(late.tally)")
            #expect(samples.active(beganAfter: revoked, of: doomed.token).isEmpty)
        }

        @Test("a node warns at start, and says on request, what the primary's settings can't exclude")
        func warned() async throws {
            try await SentinelCluster.run(SentinelOptions(), listed: [[0, 1, 2]]) { cluster in
                let node = cluster.nodes[0]
                let tooLate = "min-replicas-max-lag is 10 s, but another primary may be chosen after 1500 ms"
                try await expectWarning(tooLate, of: node, in: cluster)
                let first = cluster.redis.servers[0]
                try first.call(["CONFIG", "SET", "min-replicas-to-write", "0"])
                node.kill()
                try node.start()
                try await node.ready()
                try await expectWarning("min-replicas-to-write is 0", of: node, in: cluster)
                let before = node.log
                try first.call(["CONFIG", "SET", "min-replicas-to-write", "1"])
                try first.call(["CONFIG", "SET", "min-replicas-max-lag", "1"])
                node.kill()
                try node.start()
                try await node.ready()
                #expect(try await cluster.view(node)["warnings"] == [])
                #expect(!node.log.dropFirst(before.count).contains("not set up for certainty"))
            }
        }

        private func expectWarning(_ text: String, of node: NodeProcess, in cluster: SentinelCluster) async throws {
            #expect(node.log.contains("not set up for certainty") && node.log.contains(text), "\(node.lastLines(20))")
            let warnings = try await cluster.view(node)["warnings"].array
            #expect(warnings.contains { $0.string?.contains(text) == true }, "\(warnings)")
        }
    }
}
