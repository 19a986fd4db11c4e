// Promise 3: when a revoke with `wait: cluster` has returned, no node says active any more: either all have applied it
// (`acknowledged`), or those that have not can't be fresh (`fenced`).

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct FencedRevoke {
        @Test("promise 3: a fenced revoke on a healthy cluster is acknowledged by all three nodes", arguments: rounds)
        func acknowledged(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            for asker in cluster.nodes {
                let session = try await asker.api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([session])
                let answer = try await revoke(["userId": .string(session.user)], on: asker, .cluster)
                try await cluster.expectRevokedNow([session])
                #expect(answer["revoked"] == 1)
                #expect(answer["propagation"]["state"] == "acknowledged")
                #expect(answer["propagation"]["nodes"] == 3)
                #expect(answer["propagation"]["acknowledged"] == 3)
            }
        }

        @Test("promise 3: revoking what is revoked already is fenced again, with nothing left to count")
        func twice() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[0])
            let answer = try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[1], .cluster)
            try await cluster.expectRevokedNow([session])
            #expect(answer["revoked"] == 0)
            #expect(answer["propagation"]["state"] == "acknowledged")
        }

        @Test(
            "promise 3: no validate that begins after a fenced revoke returned is active, 300 times on all nodes at once"
        )
        func againstValidation() async throws {
            let cluster = try await SharedCluster.ready()
            let hammer = Hammer(cluster.nodes, [])
            var returned: [String: Int64] = [:]
            for round in 0..<300 {
                let session = try await cluster.nodes[round % 3].api.issue(ClusterHarness.newUser())
                hammer.aim(at: [session.token])
                try await hammer.sees(1)
                let asker = cluster.nodes[(round / 3) % 3]
                let answer = try await revoke(["sessionId": .string(session.id)], on: asker, .cluster)
                returned[session.token] = BootClock.now
                #expect(["acknowledged", "fenced"].contains(answer["propagation"]["state"].string))
                try await hammer.sees(2)
            }
            let samples = await hammer.stop()
            #expect(Set(samples.filter(\.isActive).map(\.token)).count == 300)
            let wrong = samples.filter { $0.isActive && $0.began > returned[$0.token, default: .max] }
            #expect(wrong.isEmpty, "\(wrong.count) active answers after the fence")
        }

        @Test(
            "promise 3: with a node stopped the revoke is fenced, and the woken node never says active",
            arguments: rounds)
        func nodeStopped(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let doomed = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([doomed, live])
            let sleeper = cluster.nodes[2]
            sleeper.pause()
            defer { sleeper.resume() }
            let asked = BootClock.now
            let answer = try await revoke(["sessionId": .string(doomed.id)], on: cluster.nodes[0], .cluster)
            let returned = BootClock.now
            #expect(answer["propagation"]["state"] == "fenced")
            #expect(answer["propagation"]["nodes"] == 3)
            #expect(answer["propagation"]["acknowledged"] == 2)
            #expect(returned - asked >= cluster.fenceBound, "fenced before Δ and the margin were over")
            // Its first requests wait in the sockets of the stopped node.
            let hammer = Hammer([sleeper], [doomed, live])
            sleeper.resume()
            try await cluster.expectActive([live])
            try await hammer.sees(100)
            let samples = await hammer.stop()
            #expect(samples.active(beganAfter: returned, of: doomed.token).isEmpty, "\(samples.tally)")
            cluster.expectNeverRefused(samples, of: live.token)
            try await cluster.expectRevokedNow([doomed])
        }

        @Test(
            "promise 3: with a node's line cut the revoke is fenced, and that node never says active", arguments: rounds
        )
        func lineCut(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let doomed = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([doomed])
            let hammer = Hammer(cluster.nodes, [doomed])
            try await cluster.proxies[2].set(.blackhole)
            let answer = try await revoke(
                ["deviceId": "none", "userId": .string(doomed.user)], on: cluster.nodes[0], .cluster)
            #expect(answer["revoked"] == 0)
            let second = try await revoke(["userId": .string(doomed.user)], on: cluster.nodes[0], .cluster)
            let returned = BootClock.now
            #expect(answer["propagation"]["state"] == "fenced")
            #expect(["fenced", "acknowledged"].contains(second["propagation"]["state"].string))
            try await hammer.sees(2)
            try await cluster.proxies[2].set(.forward)
            try await cluster.ready()
            try await cluster.expectRevokedNow([doomed])
            let samples = await hammer.stop()
            #expect(samples.active(beganAfter: returned).isEmpty, "\(samples.tally)")
        }

        @Test("promise 3: a node with a longer staleness bound is waited out by its own")
        func longerBound() async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let sleeper = try cluster.makeNode("longer bound") { $0.stalenessBoundMilliseconds = 3_000 }
            try sleeper.start()
            try await sleeper.ready()
            try await eventually("a fence counts all four") {
                let user = ClusterHarness.newUser()
                let propagation = try await revoke(["userId": .string(user)], on: cluster.nodes[0], .cluster)[
                    "propagation"]
                return propagation["state"] == "acknowledged" && propagation["nodes"] == 4
            }
            let warnings = try await cluster.nodes[0].api.call("GET", "/v1/cluster").everything
            #expect(warnings.contains("staleness bounds from 1000 ms to 3000 ms"), "\(warnings)")
            let doomed = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            #expect(try await sleeper.api.validate(doomed.token).status == 200)
            sleeper.pause()
            defer { sleeper.kill() }
            let options = RevokeOptions(waits: true, timeoutMilliseconds: 10_000)
            let answer = try await revoke(["sessionId": .string(doomed.id)], on: cluster.nodes[0], options)
            let returned = BootClock.now
            #expect(answer["propagation"]["state"] == "fenced")
            let hammer = Hammer([sleeper], [doomed])
            sleeper.resume()
            try await hammer.sees(100)
            let samples = await hammer.stop()
            #expect(samples.active(beganAfter: returned, of: doomed.token).isEmpty, "\(samples.tally)")
        }

        @Test("promise 3: a node whose counter has long stood still is not waited for")
        func longGone() async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let sleeper = cluster.nodes[2]
            sleeper.pause()
            defer { sleeper.resume() }
            try await eventually("a fence counts the two nodes that live") {
                let user = ClusterHarness.newUser()
                let propagation = try await revoke(["userId": .string(user)], on: cluster.nodes[0], .cluster)[
                    "propagation"]
                return propagation["state"] == "acknowledged" && propagation["nodes"] == 2
            }
        }

        @Test(
            "a timeout shorter than the fence gets 202 pending, and its fence is read-your-revoke elsewhere",
            arguments: rounds)
        func pending(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([session])
            cluster.nodes[2].pause()
            defer { cluster.nodes[2].resume() }
            let options = RevokeOptions(waits: true, timeoutMilliseconds: 50)
            let answer = try await cluster.nodes[0].api.revoke(["sessionId": .string(session.id)], options)
            #expect(answer.status == 202)
            #expect(answer.json["propagation"]["state"] == "pending")
            let fence = try #require(answer.json["fence"].string)
            for node in cluster.nodes[..<2] {
                let validated = try await node.api.validate(session.token, atLeast: fence)
                #expect(validated.status == 401)
                #expect(validated.code == "session_revoked")
            }
        }
    }
}
