// A login on a device that none of its user's other sessions is on: told, and, where that is wanted, refused.

import TestSupport
import Testing

extension ClusterTests {
    @Suite struct NewDevices {
        private func login(
            _ user: String, _ device: String?, on node: NodeProcess, _ more: [String: JSON] = [:]
        ) async throws -> HTTPAnswer {
            var body: [String: JSON] = ["userId": .string(user), "tenantId": "acme"].merging(more) { $1 }
            body["deviceId"] = device.map(JSON.string)
            return try await node.api.call("POST", "/v1/issue", body: .object(body))
        }

        /// The devices of which the cluster's logs say that they are new to this user.
        private func told(_ cluster: ClusterHarness, _ user: String) -> [String] {
            cluster.nodes.flatMap { $0.log.split(separator: "\n") }
                .filter { $0.contains("\"signal\":\"new_device\"") && $0.contains(user) }
                .compactMap { line in
                    line.split(separator: "\"deviceId\":\"").dropFirst().first?.split(separator: "\"").first
                        .map(String.init)
                }
                .sorted()
        }

        @Test("the first login, one without a device, and one more on a device that is known are not told; others are")
        func told() async throws {
            try await ClusterHarness.run { cluster in
                let (user, nodes) = (ClusterHarness.newUser(), cluster.nodes)
                for (index, device) in ["phone", "phone", nil, "tablet", "tablet", "phone", "pho"].enumerated() {
                    #expect(try await login(user, device, on: nodes[index % 3]).status == 201)
                }
                #expect(try await login(ClusterHarness.newUser(), "phone", on: nodes[1]).status == 201)
                try await eventually("both are told") { told(cluster, user) == ["pho", "tablet"] }
                // All of them live: it is no more than told.
                let inventory = try await nodes[2].api.call("GET", "/v1/users/\(user)/sessions")
                #expect(inventory.json["sessions"].array.count == 7)
                // Whoever is logged out everywhere begins anew.
                _ = try await nodes[0].api.revoke(["userId": .string(user)], .cluster)
                #expect(try await login(user, "television", on: nodes[1]).status == 201)
                _ = try await login(user, "phone", on: nodes[1])
                try await eventually("the phone is told") { told(cluster, user) == ["pho", "phone", "tablet"] }
            }
        }

        @Test("what is refused is no login, and counts as none; one that is looked at twice counts once")
        func counted() async throws {
            let options = ClusterOptions(
                nodes: 1, arguments: ["--on-suspicious", "new_device=revoke", "--rate-limit-issue", "2/1m"])
            try await ClusterHarness.run(options) { cluster in
                let (user, node) = (ClusterHarness.newUser(), cluster.nodes[0])
                #expect(try await login(user, "phone", on: node).status == 201)
                // One that has left the window and is still there: the login is counted before the script, and taken back.
                let window = try cluster.redis.call(["KEYS", "*:li:\(user)"])
                try cluster.redis.call(["ZADD", window, "1", "old"])
                for _ in 0..<5 { #expect(try await login(user, "tablet", on: node).status == 409) }
                #expect(try cluster.redis.call(["ZCARD", window]) == "1")
                for _ in 0..<5 { #expect(try await login(user, "phone", on: node, ["state": "none"]).status == 409) }
                // The index still has what a tenant's revoke ended.
                _ = try await node.api.revoke(["tenantId": "acme"], .cluster)
                #expect(try await login(user, "tablet", on: node).status == 201)
                for device in ["tablet", "watch"] {
                    #expect(try await login(user, device, on: node).status == 429)
                }
                try await eventually("each is told, without an id") {
                    let refused = node.log.split(separator: "\n").filter { $0.contains("\"signal\":\"new_device\"") }
                    return refused.count == 5 && refused.allSatisfy { !$0.contains("sessionId") }
                }
            }
        }

        @Test("under revoke such a login is 409, leaves nothing, and is told; where it may be repeated, too")
        func refused() async throws {
            let options = ClusterOptions(nodes: 2, arguments: ["--on-suspicious", "new_device=revoke"])
            try await ClusterHarness.run(options) { cluster in
                let (user, nodes) = (ClusterHarness.newUser(), cluster.nodes)
                let first = try #require(TestSession(try await login(user, "phone", on: nodes[0]).json))
                for node in nodes {
                    let refused = try await login(user, "tablet", on: node)
                    #expect(refused.status == 409 && refused.code == "conflict", "\(refused.everything)")
                    let body: JSON = ["userId": .string(user), "deviceId": "tablet"]
                    let again = try await node.api.call(
                        "POST", "/v1/issue", body: body, headers: [("Idempotency-Key", "once")])
                    #expect(again.status == 409, "\(again.everything)")
                }
                try await eventually("each is told") { told(cluster, user).count == 3 }
                let inventory = try await nodes[1].api.call("GET", "/v1/users/\(user)/sessions")
                #expect(inventory.json["sessions"].array.map { $0["sessionId"] } == [.string(first.id)])
                #expect(
                    try cluster.redis.call(["KEYS", "\(cluster.namespace):*:s:ses_*"]).split(separator: "\n").count == 1
                )
                #expect(try await login(user, "phone", on: nodes[1]).status == 201)
                // Whatever ends all of them: the index still names those that no revoke of the user's has ended.
                let targets: [(device: String, target: [String: JSON])] = [
                    ("tablet", ["userId": .string(user)]), ("watch", ["tenantId": "acme"]), ("car", ["everyone": true]),
                ]
                for (device, target) in targets {
                    _ = try await nodes[0].api.revoke(target, .cluster)
                    #expect(try await login(user, device, on: nodes[1]).status == 201, "\(target)")
                    #expect(try await login(user, "phone", on: nodes[1]).status == 409, "\(target)")
                }
                // Nor is the session in the way that this one replaces.
                let last = try #require(TestSession(try await login(user, "car", on: nodes[0]).json))
                _ = try await nodes[0].api.revoke(
                    ["userId": .string(user), "exceptSessionId": .string(last.id)], .cluster)
                let replacing = try await login(user, "phone", on: nodes[1], ["replaces": .string(last.token)])
                #expect(replacing.status == 201, "\(replacing.everything)")
            }
        }
    }
}
