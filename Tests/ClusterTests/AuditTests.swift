// What real nodes write to their audit logs while sessions come and go: each thing once, whichever node did it.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.serialized, .cluster()) struct Audit {
        /// The entries of all nodes that have to do with one user's sessions, or with the user.
        private func entries(
            _ cluster: ClusterHarness, _ user: String, _ sessions: [String] = []
        ) -> [[String: String]] {
            cluster.nodes.flatMap { $0.log.split(separator: "\n").filter { $0.hasPrefix("{\"event\":") } }.compactMap {
                line in
                let entry = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
                guard let entry else {
                    Issue.record("no entry: \(line)")
                    return nil
                }
                let isMeant = entry["userId"] == user || entry["sessionId"].map(sessions.contains) == true
                return isMeant ? entry : nil
            }
        }

        private func expect(
            _ events: [String], of user: String, _ sessions: [String] = [], in cluster: ClusterHarness,
            location: SourceLocation = #_sourceLocation
        ) async throws -> [[String: String]] {
            // The last of them is written last, by whatever node: once it is there nothing else is on its way but a second one.
            try await eventually("the audit log has \(events)") {
                entries(cluster, user, sessions).count >= events.count
            }
            let found = entries(cluster, user, sessions)
            #expect(found.compactMap { $0["event"] }.sorted() == events.sorted(), sourceLocation: location)
            return found
        }

        @Test(
            "a login's life has a line for each thing that happened, by whichever node, and none for what is repeated")
        func life() async throws {
            let cluster = try await SharedCluster.ready()
            let (first, second, third) = (cluster.nodes[0], cluster.nodes[1], cluster.nodes[2])
            let user = ClusterHarness.newUser()
            let body: JSON = [
                "userId": .string(user), "kind": "api", "deviceId": "phone", "ipAddress": "203.0.113.9",
                "userAgent": "Mozilla/5.0 \u{2028}{\"event\":\"session.terminated\"}",
            ]
            let key = [("Idempotency-Key", "audit-\(user)")]
            let login = try await first.api.call("POST", "/v1/issue", body: body, headers: key)
            let again = try await second.api.call("POST", "/v1/issue", body: body, headers: key)
            #expect(login.status == 201 && again.json["sessionId"] == login.json["sessionId"])
            let used: JSON = ["refreshToken": login.json["refreshToken"]]
            for node in cluster.nodes {
                #expect(try await node.api.call("POST", "/v1/refresh", on: .public, body: used).status == 200)
            }
            let id = try #require(login.json["sessionId"].string)
            let rotated = try await second.api.call("POST", "/v1/sessions/\(id)/rotate", body: [:])
            let newest = try #require(rotated.json["sessionId"].string)
            for node in [third, third] {
                _ = try await node.api.setPermissions(of: user, to: ["docs:read"], waits: true)
            }
            for node in cluster.nodes {
                _ = try await node.api.revoke(["sessionId": .string(newest)], .cluster)
            }
            let found = try await expect(
                [
                    "session.created", "session.renewed", "session.rotated", "permissions.changed",
                    "permissions.changed",
                    "session.terminated",
                ], of: user, [id, newest], in: cluster)
            let created = try #require(found.first { $0["event"] == "session.created" })
            #expect(
                created["sessionId"] == id && created["deviceId"] == "phone" && created["ipAddress"] == "203.0.113.9"
                    && created["userAgent"] == body["userAgent"].string)
            #expect(found.first { $0["event"] == "session.terminated" }?["reason"] == "admin")
            for node in cluster.nodes {
                for secret in [login.json["token"], login.json["refreshToken"], rotated.json["token"]] {
                    #expect(!node.log.contains(try #require(secret.string)))
                }
            }
        }

        @Test("a revoke of a user, and a logout everywhere, are a line each, and of nobody none")
        func revokes() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[1]
            let (user, nobody) = (ClusterHarness.newUser(), ClusterHarness.newUser())
            for _ in 0..<3 { _ = try await node.api.issue(user) }
            var options = RevokeOptions.cluster
            options.reason = "password_changed"
            _ = try await node.api.revoke(["userId": .string(nobody)], options)
            _ = try await node.api.revoke(["userId": .string(user)], options)
            _ = try await cluster.nodes[2].api.revoke(["userId": .string(user)], options)
            let ended = try await expect(
                Array(repeating: "session.created", count: 3) + ["session.terminated"], of: user, in: cluster
            ).last { $0["event"] == "session.terminated" }
            #expect(ended?["reason"] == "password_changed" && ended?["sessionId"] == nil)
            #expect(entries(cluster, nobody).isEmpty)
            let other = try await node.api.issue(user)
            let answer = try await cluster.nodes[0].api.call(
                "POST", "/v1/logout", on: .public, body: ["scope": "all"],
                headers: [("Authorization", "Bearer \(other.token)")])
            #expect(answer.status == 200)
            let found = try await expect(
                Array(repeating: "session.created", count: 4) + Array(repeating: "session.terminated", count: 2),
                of: user,
                in: cluster)
            #expect(found.contains { $0["reason"] == "logout" })
        }
    }
}
