// Promise 2: no node answers active from a state older than Δ; past it an outage is 503, never 401. All comparisons are of
// one machine's CLOCK_BOOTTIME: a poll sent before Redis (or the line to it) stopped is the last that can have counted.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct BoundedStaleness {
        @Test("promise 2: with Redis stopped no active answer begins later than Δ, and an outage is never a 401")
        func redisStopped() async throws {
            let cluster = try await SharedCluster.ready()
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let dead = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await revoke(["sessionId": .string(dead.id)], on: cluster.nodes[0], .cluster)
            let revoked = BootClock.now
            let hammer = Hammer(cluster.nodes, [live, dead])
            try await hammer.sees(20)
            let stopped = cluster.pauseRedis()
            try await eventually("every node refuses for want of freshness") {
                let samples = hammer.samples
                return (0..<3).allSatisfy { node in
                    samples.contains {
                        $0.node == node && $0.status == 503 && $0.began > stopped + cluster.stalenessBound
                    }
                }
            }
            for node in cluster.nodes { try await expectOutage(of: node, live: live) }
            let healing = BootClock.now
            cluster.redis.resume()
            try await cluster.expectActive([live])
            let samples = await hammer.stop()
            let late = samples.filter { $0.began > stopped + cluster.stalenessBound && $0.ended < healing }
            #expect(late.noneActive, "\(late.tally)")
            cluster.expectNeverRefused(samples, of: live.token)
            cluster.expectAlwaysRevoked(samples, of: dead.token, after: revoked)
        }

        @Test("promise 2: on a slow line a poll counts from when it was sent, not from its answer")
        func slowLine() async throws {
            let cluster = try await SharedCluster.ready()
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let delay = Duration.milliseconds(200)
            try await cluster.proxies[1].set(.delay(delay))
            let slow = BootClock.now
            let hammer = Hammer([cluster.nodes[1]], [live])
            try await eventually("what was sent before the line was slow counts no more") {
                BootClock.now > slow + cluster.stalenessBound
            }
            try await hammer.sees(20)
            let stopped = cluster.pauseRedis()
            // What Redis answered before it stopped was sent before this.
            let lastSent = stopped - Int64(delay / .nanoseconds(1))
            try await eventually("node 2 refuses for want of freshness") {
                hammer.samples.contains { $0.status == 503 && $0.began > stopped + cluster.stalenessBound }
            }
            let healing = BootClock.now
            cluster.redis.resume()
            try await cluster.proxies[1].set(.forward)
            try await cluster.ready()
            let samples = await hammer.stop()
            let late = samples.filter { $0.began > lastSent + cluster.stalenessBound && $0.ended < healing }
            #expect(late.noneActive, "\(late.tally)")
            #expect(samples.contains { $0.isActive && $0.began < stopped })
            cluster.expectNeverRefused(samples, of: live.token)
        }

        @Test(
            "promise 2: a half-open connection makes its node refuse past Δ, the others serve, and it recovers on heal")
        func halfOpen() async throws {
            let cluster = try await SharedCluster.ready()
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let hammer = Hammer(cluster.nodes, [live])
            try await hammer.sees(20)
            try await cluster.proxies[1].set(.blackhole)
            let cut = BootClock.now
            try await eventually("node 2 refuses for want of freshness") {
                hammer.samples.contains { $0.node == 1 && $0.status == 503 }
            }
            try await hammer.sees(3, from: [1])
            let healing = BootClock.now
            try await cluster.proxies[1].set(.forward)
            try await cluster.ready()
            try await cluster.expectActive([live])
            let samples = await hammer.stop()
            let late = samples.filter { $0.node == 1 && $0.began > cut + cluster.stalenessBound && $0.ended < healing }
            #expect(late.noneActive, "\(late.tally)")
            cluster.expectNeverRefused(samples, of: live.token)
            let others = samples.filter { $0.node != 1 }
            #expect(others.allActive, "\(others.tally)")
        }

        @Test("promise 2: a revoke that a cut-off node never hears is in force there at Δ, fenced or not")
        func revokedWhileCutOff() async throws {
            let cluster = try await SharedCluster.ready()
            let doomed = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([doomed])
            let hammer = Hammer([cluster.nodes[1]], [doomed])
            try await cluster.proxies[1].set(.blackhole)
            try await revoke(["userId": .string(doomed.user)], on: cluster.nodes[0])
            let revoked = BootClock.now
            try await eventually("node 2 is asked later than Δ after the revoke") {
                hammer.samples.contains { $0.began > revoked + cluster.stalenessBound }
            }
            try await cluster.proxies[1].dropAll()
            try await cluster.proxies[1].set(.forward)
            try await cluster.expectRevoked([doomed])
            let samples = await hammer.stop()
            #expect(samples.active(beganAfter: revoked + cluster.stalenessBound).isEmpty, "\(samples.tally)")
        }

        /// 503 with the documented code for a valid token, 401 for a bad signature, and not ready.
        private func expectOutage(of node: NodeProcess, live: TestSession) async throws {
            let outage = try await node.api.validate(live.token)
            #expect(outage.status == 503)
            #expect(outage.code == "revocation_state_stale")
            #expect(outage.header("retry-after").flatMap { Int($0) } != nil)
            #expect(outage.header("set-cookie") == nil)
            let forged = try await node.api.validate(TokenForge.flippingSignature(of: live.token))
            #expect(forged.status == 401)
            #expect(forged.code == "token_signature_invalid")
            let ready = try await node.api.call("GET", "/health/ready", on: .public)
            #expect(ready.status == 503)
        }
    }

    @Suite struct Wires {
        enum Loss: CaseIterable { case both, requests, answers }

        @Test(
            "promise 2: a wire that loses packets without a word makes its node refuse past Δ, and it recovers",
            .enabled(if: Wire.isAvailable), arguments: Loss.allCases)
        func losesPackets(_ loss: Loss) async throws {
            var options = ClusterOptions(nodes: 2)
            options.hasWires = true
            try await ClusterHarness.run(options) { cluster in
                let wire = try #require(cluster.proxies[1].wire)
                let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                let doomed = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([live, doomed])
                let hammer = Hammer([cluster.nodes[1]], [live])
                switch loss {
                case .both: try wire.cut()
                case .requests: try wire.loseRequests()
                case .answers: try wire.loseAnswers()
                }
                let cut = BootClock.now
                try await revoke(["sessionId": .string(doomed.id)], on: cluster.nodes[0], .cluster)
                #expect(try await cluster.nodes[1].api.validate(doomed.token).status != 200)
                try await eventually("node 2 refuses for want of freshness") {
                    hammer.samples.contains { $0.status == 503 }
                }
                try await hammer.sees(3)
                let healing = BootClock.now
                try wire.mend()
                try await cluster.expectActive([live])
                try await cluster.expectRevoked([doomed])
                let samples = await hammer.stop()
                let late = samples.filter { $0.began > cut + cluster.stalenessBound && $0.ended < healing }
                #expect(late.noneActive, "\(late.tally)")
                cluster.expectNeverRefused(samples, of: live.token)
            }
        }
    }

    @Suite(.cluster(ClusterOptions(stalenessBoundMilliseconds: 3_000))) struct Reconnects {
        @Test("a reconnect within a term costs no availability", arguments: ClusterTests.rounds)
        func costNothing(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let hammer = Hammer(cluster.nodes, [live])
            for _ in 0..<5 {
                for proxy in cluster.proxies { try await proxy.dropAll() }
                try await eventually("every node is connected again") {
                    for proxy in cluster.proxies where try await proxy.connectionCount() < 2 { return false }
                    return true
                }
                try await hammer.sees(30)
            }
            // Past the newcomers' grace that a new term would have cost.
            let last = BootClock.now
            try await eventually("Δ and the margin have passed") { BootClock.now > last + cluster.fenceBound }
            let samples = await hammer.stop()
            #expect(samples.allActive, "\(samples.tally)")
            try await cluster.settle()
        }
    }
}
