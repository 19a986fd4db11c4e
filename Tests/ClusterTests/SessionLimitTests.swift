// How many sessions a user may have: held on all nodes together, whoever logs in where and at the same time.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster(ClusterOptions(arguments: ["--max-sessions-per-user", "3"]))) struct EvictedSessions {
        @Test("the oldest session ends for one more, on every node, and its screen hears why")
        func evicted() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            var sessions: [TestSession] = []
            for index in 0..<3 { sessions.append(try await cluster.nodes[index].api.issue(user)) }
            let other = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive(sessions + [other])
            let screen = try EventSource(
                port: cluster.nodes[2].settings.publicPort, path: "/v1/events",
                fields: [("Authorization", "Bearer \(sessions[0].token)")])
            #expect(try await screen.head().status == 200)
            _ = try await screen.nextID()
            // Renewed last, and still the oldest.
            #expect(try await cluster.nodes[1].api.refresh(bearing: sessions[0].token).status == 200)
            sessions.append(try await cluster.nodes[1].api.issue(user, kind: "api"))
            try await cluster.expectRevoked([sessions[0]])
            let event = try await screen.next()
            #expect(event.name == "session.revoked" && event.data["reason"] == "session_limit")
            sessions.append(try await cluster.nodes[2].api.issue(user, kind: "remember"))
            try await cluster.expectRevoked([sessions[1]])
            try await cluster.expectActive(Array(sessions[2...]) + [other])
            // Each end has its line, once.
            try await eventually("their ends are in the audit log") {
                let lines = cluster.nodes.flatMap { $0.log.split(separator: "\n") }.filter {
                    $0.contains("\"event\":\"session.terminated\"") && $0.contains(user)
                        && $0.contains("\"reason\":\"session_limit\"")
                }
                return lines.count == 2
                    && sessions[..<2].allSatisfy { session in lines.contains { $0.contains(session.id) } }
            }
        }

        @Test("of many logins at the same time on three nodes as many live as may, and those are what people see")
        func race() async throws {
            let cluster = try await SharedCluster.ready()
            for _ in 0..<5 {
                let user = ClusterHarness.newUser()
                let sessions = try await withThrowingTaskGroup(of: TestSession.self) { group in
                    for index in 0..<40 { group.addTask { try await cluster.nodes[index % 3].api.issue(user) } }
                    return try await group.reduce(into: [TestSession]()) { $0.append($1) }
                }
                try await cluster.settle()
                let inventory = try await cluster.nodes[0].api.call("GET", "/v1/users/\(user)/sessions")
                let listed = Set(inventory.json["sessions"].array.compactMap { $0["sessionId"].string })
                #expect(listed.count == 3)
                try await cluster.expectActive(sessions.filter { listed.contains($0.id) })
                try await cluster.expectRevoked(sessions.filter { !listed.contains($0.id) })
            }
        }
    }

    @Suite(.cluster(ClusterOptions(arguments: ["--max-sessions-per-user", "2", "--on-session-limit", "refuse"])))
    struct RefusedSessions {
        private func login(_ user: String, on node: NodeProcess) async throws -> HTTPAnswer {
            try await node.api.call(
                "POST", "/v1/issue", body: ["userId": .string(user), "tenantId": .string("t-\(user)")])
        }

        @Test(
            "one login more is 409 until a session has ended, in whatever way",
            arguments: ["session", "tenant", "user"])
        func refused(target: String) async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let first = try await login(user, on: cluster.nodes[0])
            #expect(first.status == 201)
            #expect(try await login(user, on: cluster.nodes[1]).status == 201)
            for node in cluster.nodes {
                let answer = try await login(user, on: node)
                #expect(answer.status == 409 && answer.code == "session_limit_reached", "\(answer.everything)")
            }
            let body: [String: JSON] =
                switch target {
                case "session": ["sessionId": first.json["sessionId"]]
                case "tenant": ["tenantId": .string("t-\(user)")]
                default: ["userId": .string(user)]
                }
            try await revoke(body, on: cluster.nodes[2], .cluster)
            #expect(try await login(user, on: cluster.nodes[0]).status == 201)
        }

        @Test("of many logins at the same time on three nodes exactly as many succeed as may")
        func race() async throws {
            let cluster = try await SharedCluster.ready()
            for _ in 0..<5 {
                let user = ClusterHarness.newUser()
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for index in 0..<40 { group.addTask { try await login(user, on: cluster.nodes[index % 3]).status } }
                    return try await group.reduce(into: [Int]()) { $0.append($1) }
                }
                #expect(statuses.count { $0 == 201 } == 2)
                #expect(statuses.count { $0 == 409 } == 38)
            }
        }
    }
}
