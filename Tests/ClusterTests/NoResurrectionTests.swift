// Promise 5: nothing that happens to a revoked session afterwards brings it back: not a login on the same device, not new
// permissions, not a record that reappears, not the loss of Redis' data with everything being re-asserted.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct NoResurrection {
        @Test(
            "promise 5: no login, change of permissions, late write or re-assertion revives a revoked session",
            arguments: rounds)
        func nothingRevives(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let first = try await cluster.nodes[0].api.issue(user, device: "phone", permissions: ["a"])
            let second = try await cluster.nodes[1].api.issue(user, device: "laptop")
            let records = try [first, second].map { try record(of: $0, in: cluster) }
            try await revoke(["sessionId": .string(first.id)], on: cluster.nodes[0], .cluster)
            try await revoke(["userId": .string(user)], on: cluster.nodes[1], .cluster)
            let returned = BootClock.now
            let hammer = Hammer(cluster.nodes, [first, second])

            let again = try await cluster.nodes[2].api.issue(user, device: "phone", permissions: ["b"])
            _ = try await cluster.nodes[0].api.setPermissions(of: user, to: ["c"], waits: true)
            try await revoke(
                ["userId": .string(user), "exceptSessionId": .string(again.id)], on: cluster.nodes[2], .cluster)
            try await revoke(
                ["userId": .string(user), "exceptSessionId": .string(first.id)], on: cluster.nodes[0], .cluster)
            // A record written late, as by a client that was slow: the tombstone and the cutoff still rule.
            for record in records { try cluster.redis.call(["HSET"] + record) }
            for node in cluster.nodes {
                for session in [first, second] {
                    #expect(try await node.api.validate(session.token, strict: true).code == "session_revoked")
                }
            }
            try cluster.redis.call(["FLUSHALL"])
            try await eventually("the nodes notice the loss") { await !cluster.nodes[0].api.isReady() }
            try await cluster.ready()
            let last = try await cluster.nodes[1].api.issue(user, device: "phone")
            try await cluster.expectActive([last])
            try await cluster.expectRevokedNow([again])
            try await hammer.sees(4)
            let samples = await hammer.stop()
            for session in [first, second] {
                cluster.expectAlwaysRevoked(samples, of: session.token, after: returned)
            }
        }

        @Test("promise 5: a session is over in the inventory and by its id as soon as it is revoked")
        func goneFromInventory() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let first = try await cluster.nodes[0].api.issue(user, device: "phone")
            let second = try await cluster.nodes[1].api.issue(user, device: "laptop")
            let path = "/v1/users/\(user)/sessions"
            let before = try await cluster.nodes[2].api.call("GET", path).json["sessions"].array
            #expect(Set(before.compactMap { $0["sessionId"].string }) == [first.id, second.id])
            let answer = try await cluster.nodes[0].api.call("DELETE", "/v1/sessions/\(first.id)")
            #expect(answer.status == 200)
            #expect(answer.json["revoked"] == 1)
            let after = try await cluster.nodes[1].api.call("GET", path).json["sessions"].array
            #expect(after.compactMap { $0["sessionId"].string } == [second.id])
            #expect(try await cluster.nodes[1].api.call("GET", "/v1/sessions/\(first.id)").status == 404)
            #expect(try await cluster.nodes[1].api.call("GET", "/v1/sessions/\(second.id)").status == 200)
            let third = try await cluster.nodes[2].api.issue(user)
            let rest = try await cluster.nodes[2].api.call("DELETE", "\(path)?except=\(third.id)")
            #expect(rest.json["revoked"] == 1)
            try await cluster.expectRevoked([first, second])
            try await cluster.expectActive([third])
        }

        /// A session's record as the arguments of HSET that would write it again.
        private func record(of session: TestSession, in cluster: ClusterHarness) throws -> [String] {
            let key = try cluster.redis.call(["KEYS", "\(cluster.namespace):*:s:\(session.id)"])
            let fields = try cluster.redis.call(["HGETALL", key]).split(
                separator: "\n", omittingEmptySubsequences: false)
            return [key] + fields.map(String.init)
        }
    }
}
