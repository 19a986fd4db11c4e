// Promise 4, second half: a revocation that any living node has heard survives the loss of Redis' data. All the while what
// was revoked is refused by who knew it (401, not even 503), and what is valid is never refused (503 at worst).

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct LostData {
        @Test(
            "promise 4: after FLUSHALL everything revoked stays refused at every moment, for later nodes too",
            arguments: rounds)
        func flushed(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let cast = try await Ended(cluster)
            let hammer = Hammer(cluster.nodes, cast.over + [cast.live])
            try await hammer.sees(cast.over.count + 1)
            let moment = BootClock.now
            try cluster.redis.call(["FLUSHALL"])
            try await cast.expectSurvived(on: cluster, hammer: hammer, since: moment)
        }

        @Test(
            "promise 4: after a restart of Redis with nothing everything revoked stays refused, for later nodes too",
            arguments: rounds)
        func restartedEmpty(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let cast = try await Ended(cluster)
            let hammer = Hammer(cluster.nodes, cast.over + [cast.live])
            try await hammer.sees(cast.over.count + 1)
            let moment = BootClock.now
            try await cluster.redis.restart(.empty)
            try await cast.expectSurvived(on: cluster, hammer: hammer, since: moment)
        }

        @Test(
            "promise 4: after a restart that lost the last minutes everything revoked stays refused", arguments: rounds)
        func restartedOld(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            try cluster.redis.call(["SAVE"])
            let cast = try await Ended(cluster)
            let hammer = Hammer(cluster.nodes, cast.over + [cast.live])
            try await hammer.sees(cast.over.count + 1)
            let moment = BootClock.now
            try await cluster.redis.restart(.asLastSaved)
            try await cast.expectSurvived(on: cluster, hammer: hammer, since: moment)
        }

        @Test("promise 4: a revoke of everyone survives FLUSHALL, and new logins are let in")
        func everyoneFlushed() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await revoke(["everyone": true], on: cluster.nodes[0], .cluster)
            let moment = BootClock.now
            let hammer = Hammer(cluster.nodes, [session])
            try cluster.redis.call(["FLUSHALL"])
            try await eventually("a node loses its freshness") { await !cluster.nodes[0].api.isReady() }
            try await cluster.ready()
            try await hammer.sees(10)
            cluster.expectAlwaysRevoked(await hammer.stop(), of: session.token, after: moment)
            let again = try await cluster.nodes[1].api.issue(session.user)
            try await cluster.expectActive([again])
        }
    }

    /// The membership is lost with the data: who is fresh from the old data is in no list that the asker could be given.
    @Suite(.cluster()) struct LostMembership {
        enum Loss: CaseIterable, Sendable { case flush, restart }

        @Test(
            "promise 3: a fence right after the loss of Redis' data waits out a cut-off node that is still fresh",
            arguments: Loss.allCases, rounds)
        func waitedOut(loss: Loss, round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let doomed = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([doomed])
            let hammer = Hammer([cluster.nodes[2]], [doomed])
            try await hammer.sees(5)
            try await cluster.proxies[2].set(.blackhole)
            switch loss {
            case .flush: try cluster.redis.call(["FLUSHALL"])
            case .restart: try await cluster.redis.restart(.empty)
            }
            let target: [String: JSON] = ["userId": .string(doomed.user)]
            try await eventually("the revoke is taken") {
                try await cluster.nodes[0].api.revoke(target, .cluster).status == 200
            }
            let returned = BootClock.now
            try await hammer.sees(2)
            let samples = await hammer.stop()
            #expect(samples.active(beganAfter: returned).isEmpty, "\(samples.tally)")
            try await cluster.proxies[2].set(.forward)
            try await cluster.expectRevoked([doomed])
            try await cluster.ready()
        }
    }

    /// A restart that lost the last revoke, with the only node that never heard it first at the new Redis.
    @Suite(.cluster(ClusterOptions(stalenessBoundMilliseconds: 2_000))) struct LostLastRevoke {
        @Test(
            "a node that never heard a revoke which Redis lost serves only after one that did has re-asserted it",
            arguments: rounds)
        func neverHeard(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let doomed = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([doomed, live])
            try await cluster.settle()
            try cluster.redis.call(["SAVE"])
            try await cluster.proxies[2].set(.blackhole)
            let answer = try await revoke(["userId": .string(doomed.user)], on: cluster.nodes[0], .cluster)
            let returned = BootClock.now
            #expect(answer["propagation"]["state"] == "fenced")
            let hammer = Hammer([cluster.nodes[2]], [doomed, live])
            // The two that know are held back until the third has polled the Redis that forgot.
            for proxy in cluster.proxies[..<2] { try await proxy.set(.blackhole) }
            try await cluster.redis.restart(.asLastSaved)
            let members = try counters(cluster)
            try await cluster.proxies[2].set(.forward)
            try await eventually("node 3 polls the new Redis") { try counters(cluster) != members }
            let polled = try counters(cluster)
            try await eventually("node 3 polls the new Redis again") { try counters(cluster) != polled }
            for proxy in cluster.proxies[..<2] { try await proxy.set(.forward) }
            try await cluster.ready()
            try await cluster.expectActive([live])
            try await hammer.sees(20)
            let samples = await hammer.stop()
            #expect(samples.active(beganAfter: returned, of: doomed.token).isEmpty, "\(samples.tally)")
            cluster.expectNeverRefused(samples, of: live.token)
            try await cluster.expectRevokedNow([doomed])
        }

        /// The polls that Redis has counted.
        private func counters(_ cluster: ClusterHarness) throws -> [String] {
            try (0..<cluster.options.partitions).map {
                try cluster.redis.call(["HGETALL", cluster.key("{\($0)}:nodes")])
            }
        }
    }
}

/// One of each kind of revocation in force everywhere, a change of permissions, and a session that goes on.
struct Ended {
    let over: [TestSession]
    let live: TestSession
    private let permitted: TestSession

    init(_ cluster: ClusterHarness) async throws {
        let api = cluster.nodes[0].api
        let tenant = "t" + ClusterHarness.newUser()
        let bySession = try await api.issue(ClusterHarness.newUser())
        let byUser = try await api.issue(ClusterHarness.newUser())
        let byDevice = try await api.issue(ClusterHarness.newUser(), device: "phone")
        let byTenant = try await api.issue(ClusterHarness.newUser(), tenant: tenant)
        live = try await api.issue(ClusterHarness.newUser())
        permitted = try await api.issue(ClusterHarness.newUser(), permissions: ["old"])
        try await revoke(["sessionId": .string(bySession.id)], on: cluster.nodes[0], .cluster)
        try await revoke(["userId": .string(byUser.user)], on: cluster.nodes[1], .cluster)
        try await revoke(["userId": .string(byDevice.user), "deviceId": "phone"], on: cluster.nodes[2], .cluster)
        try await revoke(["tenantId": .string(tenant)], on: cluster.nodes[0], .cluster)
        _ = try await api.setPermissions(of: permitted.user, to: ["new"], waits: true)
        over = [bySession, byUser, byDevice, byTenant]
    }

    /// After a loss of data at `moment`: the nodes recover, nothing was ever forgotten, and a later node knows it too.
    func expectSurvived(on cluster: ClusterHarness, hammer: Hammer, since moment: Int64) async throws {
        try await eventually("the nodes notice the loss") { await !cluster.nodes[0].api.isReady() }
        try await cluster.ready()
        try await cluster.expectActive([live, permitted])
        try await hammer.sees(3 * (over.count + 1))
        let samples = await hammer.stop()
        for session in over { cluster.expectAlwaysRevoked(samples, of: session.token, after: moment) }
        cluster.expectNeverRefused(samples, of: live.token)

        let newcomer = try cluster.makeNode("newcomer")
        let watch = Hammer([newcomer], over)
        try newcomer.start()
        try await newcomer.ready()
        try await watch.sees(2 * over.count)
        let seen = await watch.stop()
        #expect(seen.noneActive, "\(seen.tally)")
        for session in over {
            let answer = try await newcomer.api.validate(session.token)
            #expect(answer.code == "session_revoked")
        }
        for node in cluster.nodes + [newcomer] {
            let answer = try await node.api.validate(permitted.token)
            #expect(answer.json["permissions"] == ["new"])
        }
        let fresh = try await newcomer.api.issue(over[1].user)
        try await cluster.expectActive([fresh])
        newcomer.terminate()
        _ = try await newcomer.ended()
    }
}
