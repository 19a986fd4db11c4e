// Who has just started (or started again) knows nothing yet: it serves only by a poll sent later than Δ and a margin after
// its first answer from Redis, and by then it has what was revoked before its time.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct Newcomers {
        @Test("a just-started node is neither ready nor serving before Δ and the margin are over", arguments: rounds)
        func grace(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let dead = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await revoke(["userId": .string(dead.user)], on: cluster.nodes[0], .cluster)
            let newcomer = try cluster.makeNode("newcomer \(round)")
            let hammer = Hammer([newcomer], [live, dead])
            let started = BootClock.now
            try newcomer.start()
            try await eventually("the newcomer answers at all") { hammer.samples.contains { $0.status != 0 } }
            let early = try await newcomer.api.call("GET", "/health/ready", on: .public)
            let askedBy = BootClock.now
            if askedBy < started + cluster.fenceBound {
                #expect(early.status == 503)
                #expect(try await newcomer.api.call("GET", "/health/live", on: .public).status == 200)
            }
            try await newcomer.ready()
            #expect(BootClock.now > started + cluster.fenceBound)
            try await hammer.sees(10)
            let samples = await hammer.stop().filter { $0.status != 0 }
            #expect(samples.contains { $0.token == live.token && $0.isActive })
            let tooEarly = samples.filter { $0.isActive && $0.ended < started + cluster.fenceBound }
            #expect(tooEarly.isEmpty, "\(tooEarly.count) active answers within the newcomer's grace")
            cluster.expectNeverRefused(samples, of: live.token)
            #expect(!samples.contains { $0.token == dead.token && $0.isActive })
            #expect(try await newcomer.api.validate(dead.token).code == "session_revoked")
            newcomer.terminate()
            #expect(try await newcomer.ended() == .code(0))
        }

        @Test(
            "a node killed and started again refuses what was revoked while it was away, from its first answer on",
            arguments: rounds)
        func killedAndRestarted(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let before = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let during = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([before, during, live])
            try await revoke(["userId": .string(before.user)], on: cluster.nodes[2], .cluster)
            let killed = cluster.nodes[2]
            killed.kill()
            let answer = try await revoke(["sessionId": .string(during.id)], on: cluster.nodes[0], .cluster)
            // Nobody can know yet that it is dead: it is waited out.
            #expect(answer["propagation"]["state"] == "fenced")
            let hammer = Hammer([killed], [before, during, live])
            let started = BootClock.now
            try killed.start()
            try await cluster.ready()
            try await cluster.expectActive([live])
            try await hammer.sees(10)
            let samples = await hammer.stop().filter { $0.status != 0 && $0.began > started }
            for session in [before, during] {
                #expect(samples.active(beganAfter: started, of: session.token).isEmpty, "\(samples.tally)")
            }
            cluster.expectNeverRefused(samples, of: live.token)
            try await cluster.expectRevokedNow([before, during])
            try await eventually("the dead one's place is not waited for any more") {
                let user = JSON.string(ClusterHarness.newUser())
                let propagation = try await revoke(["userId": user], on: cluster.nodes[0], .cluster)["propagation"]
                return propagation["state"] == "acknowledged" && propagation["nodes"] == 3
            }
        }

        @Test("the cluster call shows every node, every partition fresh, and which node answers")
        func clusterView() async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            for node in cluster.nodes {
                let view = try await node.api.call("GET", "/v1/cluster")
                #expect(view.status == 200)
                #expect(view.json["nodes"].array.count >= 3)
                #expect(view.json["partitions"].array.count == cluster.options.partitions)
            }
        }
    }
}
