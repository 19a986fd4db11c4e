// The nodes on a real Redis Cluster of three primaries and three replicas: what holds on one Redis holds here, and a part of it
// that fails takes its own partitions with it and no others. The tests leave the cluster whole, in whatever roles.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.redisCluster()) struct RedisCluster {
        typealias Harness = RedisClusterHarness

        @Test("on Redis Cluster a login counts and a fenced revoke holds on every node, in every partition")
        func everyPartition() async throws {
            let cluster = try await Harness.ready()
            try await cluster.settle()
            for partition in 0..<Harness.partitions {
                let session = try await cluster.issue(in: partition, on: partition)
                try await cluster.expectActive([session])
                let answer = try await revoke(
                    ["userId": .string(session.user)], on: cluster.node(partition + 1), .cluster)
                #expect(answer["propagation"]["state"] == "acknowledged")
                try await cluster.expectRevokedNow([session])
            }
            for node in cluster.nodes {
                let redis = try await node.api.call("GET", "/v1/cluster").json["redis"]
                #expect(redis["topology"] == "cluster")
                let primaries = redis["primaries"].array
                #expect(primaries.count == RedisClusterFixture.primaryCount)
                #expect(
                    primaries.flatMap { $0["partitions"].array.compactMap(\.int) }.sorted()
                        == Array(0..<Harness.partitions))
            }
        }

        @Test("a primary that may go on for longer than its cluster waits before it replaces it is told of")
        func splitBrainWarnings() async throws {
            let cluster = try await Harness.ready()
            try await cluster.settle()
            func configure(_ replicas: String, _ lag: String) throws {
                for member in cluster.redis.members {
                    try member.call(["CONFIG", "SET", "min-replicas-to-write", replicas])
                    try member.call(["CONFIG", "SET", "min-replicas-max-lag", lag])
                }
            }
            defer { try? configure("0", "10") }
            for (lag, expected) in [("10", "may be chosen after 1500 ms"), ("1", nil)] {
                try configure("1", lag)
                let node = try cluster.makeNode("warned \(lag)") { _ in }
                try node.start()
                defer { node.kill() }
                try await node.ready()
                let warnings = try await node.api.call("GET", "/v1/cluster").json["redis"]["warnings"].array
                    .compactMap(\.string).filter { $0.contains("min-replicas") }
                #expect(warnings.count == (expected == nil ? 0 : RedisClusterFixture.primaryCount), "\(warnings)")
                #expect(warnings.allSatisfy { $0.contains(expected ?? "") })
            }
        }

        @Test("events go by sharded pub/sub where Redis has it, else by the ordinary one")
        func channels() async throws {
            let cluster = try await Harness.ready()
            let isSharded = try cluster.redis.isSharded()
            let session = try await cluster.issue(in: 0, on: 0)
            let owner = try cluster.owner(of: 0)
            let verb = isSharded ? "cmdstat_spublish" : "cmdstat_publish"
            let before = try owner.call(["INFO", "commandstats"]).line(verb)
            try await revoke(["userId": .string(session.user)], on: cluster.nodes[0])
            #expect(try owner.call(["INFO", "commandstats"]).line(verb) != before)
            for partition in 0..<Harness.partitions {
                let owner = try cluster.owner(of: partition)
                let channel = cluster.key("{\(partition)}:events")
                try await eventually("every node listens to partition \(partition) at its primary") {
                    let counts = try owner.call(["PUBSUB", isSharded ? "SHARDNUMSUB" : "NUMSUB", channel])
                    return counts == "\(channel)\n\(cluster.nodes.count)"
                }
                guard isSharded else { continue }
                #expect(try owner.call(["PUBSUB", "CHANNELS"]) == "")
                #expect(try owner.call(["PUBSUB", "SHARDCHANNELS"]).contains(channel))
            }
        }

        @Test(
            "a node of another number of partitions does not start, whichever primary it meets first",
            arguments: [4, 16])
        func otherPartitions(count: Int) async throws {
            let cluster = try await Harness.ready()
            let node = try cluster.makeNode("of-\(count)") { $0.partitions = count }
            try node.start()
            defer { NodeLogs.forget(node) }
            #expect(try await node.ended() == .code(64))
            #expect(node.log.contains("partitions: \(count), expected \(Harness.partitions)"))
        }

        @Test("a slot that moves under load takes its partition along: what is revoked stays so, no other waits")
        func reshard() async throws {
            let cluster = try await Harness.ready()
            try await cluster.settle()
            let partition = 3
            let slot = try cluster.slot(of: partition)
            let source = try cluster.owner(of: partition)
            let target = try cluster.owner(of: 0)
            try #require(source !== target)
            let live = try await cluster.issue(in: partition, on: 0)
            let revoked = try await cluster.issue(in: partition, on: 0)
            let others = try await cluster.issueEverywhere(but: [partition])
            try await revoke(["sessionId": .string(revoked.id)], on: cluster.nodes[1], .cluster)
            let moment = BootClock.now
            let hammer = Hammer(cluster.nodes, [live, revoked] + others)
            try await hammer.sees(20)

            try cluster.redis.beginMove(of: slot, from: source, to: target)
            try await hammer.sees(20)
            try cluster.redis.move([cluster.key("{\(partition)}:head")], from: source, to: target)
            try await eventually("a node waits for the slot") {
                try await cluster.nodes[0].api.validate(live.token).code == "revocation_state_stale"
            }
            try await hammer.sees(20)
            // Sent while the slot is on the move, done when it has arrived.
            async let late = cluster.nodes[2].api.revoke(["sessionId": .string(live.id)])
            while try cluster.redis.moveKeys(of: slot, count: 3, from: source, to: target) {}
            try cluster.redis.endMove(of: slot, from: source, to: target)
            #expect(try await late.status == 200)
            try await cluster.ready()
            #expect(try cluster.owner(of: partition) === target)
            try await hammer.sees(20)
            let samples = await hammer.stop()
            cluster.expectAlwaysRevoked(samples, of: revoked.token, after: moment)
            for session in others { cluster.expectOnlyActive(samples, of: session.token) }
            try await cluster.expectRevokedNow([live, revoked])
            try await cluster.settle()
            let next = try await cluster.issue(in: partition, on: 1)
            try await cluster.expectActive([next])
            let answer = try await revoke(["userId": .string(next.user)], on: cluster.nodes[0], .cluster)
            #expect(answer["propagation"]["state"] == "acknowledged")
            try await cluster.expectRevokedNow([next])
        }

        @Test("a primary that dies under load loses no revoke that a node knows of, and other partitions do not notice")
        func failover() async throws {
            let cluster = try await Harness.ready()
            try await cluster.settle()
            let victim = try cluster.owner(of: 1)
            let hit = try (0..<Harness.partitions).filter { try cluster.owner(of: $0) === victim }
            let live = try await cluster.issueEverywhere(but: [])
            let safe = live.filter { session in !hit.contains { cluster.partition(of: session.user) == $0 } }
            var doomed: [TestSession] = []
            for round in 0..<40 { doomed.append(try await cluster.issue(in: hit[round % hit.count], on: round)) }
            let hammer = Hammer(cluster.nodes, live + doomed)
            try await hammer.sees(30)

            var ends: [(session: TestSession, at: Int64, state: String)] = []
            for (index, session) in doomed.enumerated() {
                if index == 10 { victim.crash() }
                let answer = try await cluster.node(index).api.revoke(
                    ["sessionId": .string(session.id)], index.isMultiple(of: 2) ? .cluster : .none)
                if answer.status == 200, let state = answer.json["propagation"]["state"].string {
                    ends.append((session, BootClock.now, state))
                } else {
                    #expect(answer.status == 503, "\(answer.everything)")
                }
            }
            try await cluster.ready()
            #expect(try cluster.owner(of: 1) !== victim)
            try await hammer.sees(30)
            let samples = await hammer.stop()
            #expect(ends.count > 10, "some revokes have to come before and after the failover")
            try await cluster.expectRevokedNow(ends.map(\.session))
            for end in ends where end.state != "published" {
                #expect(samples.active(beganAfter: end.at, of: end.session.token).isEmpty, "\(end.state)")
            }
            for session in safe { cluster.expectOnlyActive(samples, of: session.token) }
            for session in live { cluster.expectNeverRefused(samples, of: session.token) }
            try await victim.restart(.empty)
            try await cluster.redis.settled()
        }

        @Test("a primary that is gone with its replica takes its own partitions along, and nothing is forgotten")
        func halfDown() async throws {
            let cluster = try await Harness.ready()
            try await cluster.settle()
            let victim = try cluster.owner(of: 1)
            let hit = try (0..<Harness.partitions).filter { try cluster.owner(of: $0) === victim }
            let revoked = try await cluster.issue(in: hit[0], on: 0)
            let live = try await cluster.issue(in: hit[0], on: 0)
            let others = try await cluster.issueEverywhere(but: hit)
            let steady = try await cluster.issueEverywhere(but: hit)
            try await revoke(["userId": .string(revoked.user)], on: cluster.nodes[0], .cluster)
            let moment = BootClock.now
            // CLUSTER NODES learns by gossip who is whose replica.
            var replicas = try cluster.redis.replicas(of: victim, asked: victim)
            try await eventually("the victim knows its replica") {
                replicas = try cluster.redis.replicas(of: victim, asked: victim)
                return !replicas.isEmpty
            }
            let hammer = Hammer(cluster.nodes, [revoked, live] + steady)
            try await hammer.sees(20)
            for member in replicas + [victim] { member.crash() }
            for node in cluster.nodes {
                try await eventually("\(node.name) refuses what it can't know") {
                    try await node.api.validate(live.token).code == "revocation_state_stale"
                }
                #expect(try await node.api.revoke(["userId": .string(live.user)]).status == 503)
            }
            for session in others {
                let answer = try await revoke(["userId": .string(session.user)], on: cluster.nodes[1], .cluster)
                #expect(answer["propagation"]["state"] == "acknowledged")
                try await cluster.expectRevokedNow([session])
            }
            _ = try await cluster.issueEverywhere(but: hit)
            for member in [victim] + replicas { try await member.restart(.empty) }
            try await cluster.ready()
            try await hammer.sees(20)
            let samples = await hammer.stop()
            cluster.expectAlwaysRevoked(samples, of: revoked.token, after: moment)
            for session in steady { cluster.expectOnlyActive(samples, of: session.token) }
            cluster.expectNeverRefused(samples, of: live.token)
            try await cluster.expectActive([live])
            try await cluster.expectRevokedNow([revoked])
            // The servers came back with nothing: what a later node knows, the others have written again.
            let later = try cluster.makeNode("later") { _ in }
            try later.start()
            defer {
                later.kill()
                NodeLogs.forget(later)
            }
            try await later.ready()
            #expect(try await later.api.validate(revoked.token).code == "session_revoked")
            try await cluster.redis.settled()
        }
    }
}

extension String {
    fileprivate func line(_ prefix: String) -> Substring? {
        split(whereSeparator: \.isNewline).first { $0.hasPrefix(prefix) }
    }
}
