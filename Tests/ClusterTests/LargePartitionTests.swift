// More in one partition than fits a page of a snapshot or a batch of a re-assertion.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct LargePartition {
        @Test(
            "promise 4: 1,300 revocations of one partition are in force on nodes that start later, after FLUSHALL too")
        func pages() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let tokens = try await withThrowingTaskGroup(of: [String].self) { group in
                for lane in 0..<13 {
                    group.addTask {
                        var tokens: [String] = []
                        for _ in 0..<100 {
                            tokens.append(try await cluster.nodes[lane % 3].api.issue(user, device: "phone").token)
                        }
                        return tokens
                    }
                }
                return try await group.reduce(into: [String]()) { $0 += $1 }
            }
            let live = try await cluster.nodes[0].api.issue(user, device: "tablet")
            try await revoke(["userId": .string(user), "deviceId": "phone"], on: cluster.nodes[0], .cluster)
            try await restart(cluster.nodes[2])
            try await expectRevoked(tokens, on: cluster.nodes[2])
            try cluster.redis.call(["FLUSHALL"])
            try await cluster.settle()
            try await restart(cluster.nodes[1])
            try await expectRevoked(tokens, on: cluster.nodes[1])
            try await cluster.expectActive([live])
        }

        /// Its memory is gone: what it knows from now on it has from Redis.
        private func restart(_ node: NodeProcess) async throws {
            node.kill()
            try node.start()
            try await node.ready()
        }

        private func expectRevoked(_ tokens: [String], on node: NodeProcess) async throws {
            for part in [tokens.prefix(650), tokens.suffix(650)] {
                let answer = try await node.api.call(
                    "POST", "/v1/validate/batch", body: ["tokens": .array(part.map(JSON.string))])
                let codes = answer.json["results"].array.map { $0["code"].string }
                #expect(codes.count == 650 && codes.allSatisfy { $0 == "session_revoked" })
            }
        }
    }
}
