// A log that went another way: the Redis that answers now has other events under numbers that the nodes have applied, and
// has already gone past them. Numbers alone would call that up to date; the tags of the chain tell.

import TestSupport
import Testing

extension ClusterTests {
    @Suite struct ForkedLog {
        /// What the two branches of the log have ended: one session that only the nodes know, one that only the fork knows.
        struct Branches {
            let known: TestSession
            let forked: TestSession
            let live: TestSession

            init(_ cluster: ClusterHarness) async throws {
                known = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                forked = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([known, forked, live])
            }

            /// Lets a node of its own write on the fork, far past what the cluster has written.
            func write(on forger: NodeProcess) async throws {
                try forger.start()
                try await forger.ready()
                try await revoke(["userId": .string(forked.user)], on: forger)
                for _ in 0..<60 { try await revoke(["userId": .string(ClusterHarness.newUser())], on: forger) }
                forger.kill()
            }
        }

        @Test("a promoted replica whose log has overtaken the old one gets back what it never had", arguments: rounds)
        func promotedReplica(round: Int) async throws {
            try await ClusterHarness.run { cluster in
                try await cluster.settle()
                let branches = try await Branches(cluster)
                let promoted = try await RedisServer.start(replicaOptions(of: cluster.redis))
                defer { promoted.stop() }
                try await eventually("the replica is in step") {
                    try promoted.call(["INFO", "replication"]).contains("master_link_status:up")
                }
                try promoted.call(["REPLICAOF", "NO", "ONE"])
                try await branches.write(on: cluster.makeNode("forger", redis: promoted))
                let answer = try await revoke(["userId": .string(branches.known.user)], on: cluster.nodes[0], .cluster)
                let returned = BootClock.now
                try expectOvertaken(answer, head: { try promoted.call(["HGET", cluster.key("{\($0)}:head"), "seq"]) })
                let hammer = Hammer(cluster.nodes, [branches.known, branches.live])
                try await hammer.sees(2)
                cluster.redis.crash()
                try await cluster.switchRedis(toSocket: promoted.unixSocket)
                try await expectReconciled(cluster, branches, hammer: hammer, since: returned)
            }
        }

        @Test(
            "a log replaced under the same connection and overtaken is seen by its tags and repaired", arguments: rounds
        )
        func replacedInPlace(round: Int) async throws {
            try await ClusterHarness.run { cluster in
                try await cluster.settle()
                let branches = try await Branches(cluster)
                let fork = "\(cluster.namespace)fork"
                try cluster.redis.call(["EVAL", Self.copy, "0", cluster.namespace, fork])
                try await branches.write(on: cluster.makeNode("forger") { $0.namespace = fork })
                let answer = try await revoke(["userId": .string(branches.known.user)], on: cluster.nodes[0], .cluster)
                let returned = BootClock.now
                try expectOvertaken(answer, head: { try cluster.redis.call(["HGET", "\(fork):{\($0)}:head", "seq"]) })
                let hammer = Hammer(cluster.nodes, [branches.known, branches.live])
                try await hammer.sees(2)
                try cluster.redis.call(["EVAL", Self.replace, "0", cluster.namespace, fork])
                try await expectReconciled(cluster, branches, hammer: hammer, since: returned)
            }
        }

        /// The fork has gone past the number under which the nodes have applied their last event.
        private func expectOvertaken(_ answer: JSON, head: (String) throws -> String) throws {
            let fence = try #require(answer["fence"].string).split(separator: "-")
            let seq = try #require(UInt64(fence[1]))
            try #require(try #require(UInt64(try head(String(fence[0])))) > seq + 1)
        }

        /// Both branches' revocations are in force everywhere, and what the nodes knew was never forgotten on the way.
        private func expectReconciled(
            _ cluster: ClusterHarness, _ branches: Branches, hammer: Hammer, since returned: Int64
        ) async throws {
            try await cluster.expectRevoked([branches.forked])
            try await cluster.ready()
            try await cluster.expectActive([branches.live])
            try await hammer.sees(4)
            let samples = await hammer.stop()
            cluster.expectAlwaysRevoked(samples, of: branches.known.token, after: returned)
            cluster.expectNeverRefused(samples, of: branches.live.token)
            let newcomer = try cluster.makeNode("newcomer")
            try newcomer.start()
            try await newcomer.ready()
            for session in [branches.known, branches.forked] {
                #expect(try await newcomer.api.validate(session.token).code == "session_revoked")
            }
            #expect(try await newcomer.api.validate(branches.live.token).status == 200)
            let after = try await revoke(["userId": .string(branches.live.user)], on: cluster.nodes[1], .cluster)
            #expect(["acknowledged", "fenced"].contains(after["propagation"]["state"].string))
            try await cluster.expectRevokedNow([branches.live])
        }

        /// Copies every key of one namespace into another; then puts those in the place of the first's, in one step.
        private static let copy = """
            for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do
                redis.call('COPY', key, ARGV[2] .. key:sub(#ARGV[1] + 1))
            end
            """
        private static let replace = """
            for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do redis.call('DEL', key) end
            for _, key in ipairs(redis.call('KEYS', ARGV[2] .. ':*')) do
                redis.call('RENAME', key, ARGV[1] .. key:sub(#ARGV[2] + 1))
            end
            """
    }
}
