// Promise 6: nothing but expiry compares two machines' clocks. A wall clock that is 20 s off changes nothing, one that is
// 40 s off makes its node fence itself and say why; when Redis' own clock steps back, stamps still only rise.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster(), .enabled(if: ShiftedClock.isAvailable, "needs a C compiler")) struct Clocks {
        @Test(
            "promise 6: a node whose clock is 20 s off issues, validates and revokes like any other",
            arguments: [20, -20])
        func slightlyOff(seconds: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let clock = try ShiftedClock(seconds: seconds)
            let node = try cluster.makeNode("clock \(seconds)") { $0.environment = clock.environment }
            try node.start()
            try await node.ready()
            let user = ClusterHarness.newUser()
            let here = try await node.api.issue(user)
            let there = try await cluster.nodes[0].api.issue(user)
            try await cluster.expectActive([here, there])
            for session in [here, there] { #expect(try await node.api.validate(session.token).status == 200) }
            // The cutoff is made by the node that is off, then by one that is not, and never spares or hits the wrong one.
            try await revoke(["userId": .string(user)], on: node, .cluster)
            try await cluster.expectRevokedNow([here, there])
            let again = try await cluster.nodes[1].api.issue(user)
            let onNode = try await node.api.issue(user)
            try await cluster.expectActive([again, onNode])
            #expect(try await node.api.validate(again.token).status == 200)
            try await revoke(["userId": .string(user)], on: cluster.nodes[2], .cluster)
            try await cluster.expectRevokedNow([again, onNode])
            for session in [here, there, again, onNode] {
                #expect(try await node.api.validate(session.token).code == "session_revoked")
            }
            node.terminate()
            #expect(try await node.ended() == .code(0))
        }

        @Test("promise 6: a node whose clock is 40 s off fences itself and says clock_skew", arguments: [40, -40])
        func farOff(seconds: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let dead = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await revoke(["userId": .string(dead.user)], on: cluster.nodes[0], .cluster)
            let clock = try ShiftedClock(seconds: seconds)
            let node = try cluster.makeNode("clock \(seconds)") { $0.environment = clock.environment }
            let hammer = Hammer([node], [live, dead])
            let started = BootClock.now
            try node.start()
            try await eventually("the node says clock_skew") {
                try await node.api.call("GET", "/health/ready", on: .public).everything.contains("clock_skew")
            }
            try await eventually("a newcomer's grace is over") { BootClock.now > started + 2 * cluster.fenceBound }
            let validated = try await node.api.validate(live.token)
            #expect(validated.status == 503)
            #expect(validated.code == "revocation_state_stale")
            #expect(validated.json["detail"].string?.contains("clock_skew") == true)
            #expect(try await node.api.validate(dead.token).status == 401)
            let samples = await hammer.stop()
            #expect(samples.noneActive, "\(samples.tally)")
            try await cluster.expectActive([live])
            node.kill()
        }

        @Test("promise 6: a node whose clock is set right again serves again")
        func setRight() async throws {
            let cluster = try await SharedCluster.ready()
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let clock = try ShiftedClock(seconds: 0)
            let node = try cluster.makeNode("moving clock") { $0.environment = clock.environment }
            try node.start()
            try await node.ready()
            try clock.move(to: 40)
            try await eventually("the node says clock_skew") {
                try await node.api.call("GET", "/health/ready", on: .public).everything.contains("clock_skew")
            }
            #expect(try await node.api.validate(live.token).status == 503)
            try clock.move(to: 5)
            try await node.ready()
            #expect(try await node.api.validate(live.token).status == 200)
            node.kill()
        }
    }

    @Suite(.enabled(if: ShiftedClock.isAvailable, "needs a C compiler")) struct RedisClock {
        @Test("promise 6: when Redis' clock steps back, a cutoff still ends every token made before it")
        func stepsBack() async throws {
            try await ClusterHarness.run { cluster in
                let clock = try ShiftedClock(seconds: 15)
                let server = try ShiftedRedis(clock)
                defer { server.stop() }
                try await cluster.switchRedis(toSocket: server.socket)
                try await eventually("the nodes notice the other Redis") { await !cluster.nodes[0].api.isReady() }
                try await cluster.ready()
                let user = ClusterHarness.newUser()
                let early = try await cluster.nodes[0].api.issue(user)
                try await cluster.expectActive([early])
                try clock.move(to: -10)
                try await revoke(["userId": .string(user)], on: cluster.nodes[1], .cluster)
                try await cluster.expectRevokedNow([early])
                let late = try await cluster.nodes[2].api.issue(user)
                try await cluster.expectActive([late])
                try await revoke(["everyone": true], on: cluster.nodes[0], .cluster)
                try await cluster.expectRevokedNow([early, late])
                let last = try await cluster.nodes[1].api.issue(user)
                try await cluster.expectActive([last])
            }
        }
    }

    @Suite(.cluster()) struct Stamps {
        @Test(
            "promise 6: when Redis' clock is behind the stamps it gave, a cutoff still ends every token made before it")
        func clockBehind() async throws {
            let cluster = try await SharedCluster.ready()
            try setMarks(cluster, secondsAhead: 20)
            let user = ClusterHarness.newUser()
            let early = try await cluster.nodes[0].api.issue(user)
            try await cluster.expectActive([early])
            try await revoke(["userId": .string(user)], on: cluster.nodes[1], .cluster)
            try await cluster.expectRevokedNow([early])
            let late = try await cluster.nodes[2].api.issue(user)
            try await cluster.expectActive([late])
            try await revoke(["everyone": true], on: cluster.nodes[0], .cluster)
            try await cluster.expectRevokedNow([early, late])
        }

        @Test("promise 6: the stamps given survive the loss of Redis' data, so that a later cutoff is above them")
        func dataLost() async throws {
            let cluster = try await SharedCluster.ready()
            try setMarks(cluster, secondsAhead: 60)
            let user = ClusterHarness.newUser()
            let early = try await cluster.nodes[0].api.issue(user)
            try await cluster.expectActive([early])
            try cluster.redis.call(["FLUSHALL"])
            try await eventually("the nodes notice the loss") { await !cluster.nodes[0].api.isReady() }
            try await cluster.ready()
            try await cluster.expectActive([early])
            try await revoke(["userId": .string(user)], on: cluster.nodes[1], .cluster)
            try await cluster.expectRevokedNow([early])
            let late = try await cluster.nodes[2].api.issue(user)
            try await cluster.expectActive([late])
        }

        /// As if Redis' clock had been ahead by so much when it gave its last stamps.
        private func setMarks(_ cluster: ClusterHarness, secondsAhead: Int) throws {
            let now = try cluster.redis.call(["TIME"]).split(separator: "\n").compactMap { Int($0) }
            let mark = ((now.first ?? 0) + secondsAhead) * 1_000_000
            for partition in 0..<cluster.options.partitions {
                try cluster.redis.call(["HSET", cluster.key("{\(partition)}:head"), "mark", "\(mark)"])
            }
        }
    }
}
