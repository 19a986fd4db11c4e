// Sessions that nobody uses end by themselves, on every node; those that are used on any node live on.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster(ClusterOptions(arguments: ["--web-idle-timeout", "2s", "--remember-idle-timeout", "1h"])))
    struct Idle {
        private func look(_ session: TestSession, on node: NodeProcess) async throws -> HTTPAnswer {
            try await node.api.call(
                "GET", "/v1/validate", on: .public,
                headers: [("Authorization", "Bearer \(session.token)"), ("Curfew-Activity", "none")])
        }

        @Test("an idle session ends on every node and its stream, while one that is validated somewhere lives on")
        func idle() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let idle = try await cluster.nodes[0].api.issue(user, device: "phone")
            let used = try await cluster.nodes[0].api.issue(user, device: "tablet")
            let patient = try await cluster.nodes[0].api.issue(user, kind: "remember")
            let stream = try EventSource(
                port: cluster.nodes[2].settings.publicPort, path: "/v1/events",
                fields: [("Authorization", "Bearer \(idle.token)")])
            #expect(try await stream.head().status == 200)
            _ = try await stream.nextID()
            var turn = 0
            try await eventually("the idle session ends") {
                turn += 1
                let answer = try await cluster.nodes[turn % 3].api.validate(used.token)
                #expect(answer.status == 200, "\(answer.everything)")
                // Looking counts as nothing.
                return try await look(idle, on: cluster.nodes[0]).status == 401
            }
            try await cluster.settle()
            for node in cluster.nodes {
                for strict in [false, true] {
                    let answer = try await node.api.validate(idle.token, strict: strict)
                    #expect(answer.status == 401 && answer.code == "session_expired", "\(answer.everything)")
                }
                #expect(try await look(patient, on: node).status == 200)
            }
            let late = try await cluster.nodes[1].api.refresh(bearing: idle.token)
            #expect(late.status == 401 && late.code == "session_expired", "\(late.everything)")
            let event = try await stream.next()
            #expect(event.name == "session.expired" && event.data["sessionId"].string == idle.id)
            #expect(try await stream.hasEnded())
            let inventory = try await cluster.nodes[0].api.call("GET", "/v1/users/\(user)/sessions")
            #expect(Set(inventory.json["sessions"].array.map { $0["sessionId"].string }) == [used.id, patient.id])
            // It is over, and stays so for whoever was not there.
            cluster.nodes[2].kill()
            try cluster.nodes[2].start()
            try await cluster.nodes[2].ready()
            try await cluster.settle()
            #expect(try await look(idle, on: cluster.nodes[2]).code == "session_expired")
        }

        @Test("no session is missed by who pages through them while they are used")
        func paging() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            var sessions: [TestSession] = []
            for index in 0..<5 { sessions.append(try await cluster.nodes[index % 3].api.issue(user, kind: "remember")) }
            func page(_ cursor: String?) async throws -> HTTPAnswer {
                let suffix = cursor.map { "&cursor=\($0)" } ?? ""
                return try await cluster.nodes[0].api.call("GET", "/v1/users/\(user)/sessions?limit=1\(suffix)")
            }
            var (seen, next, isFirst) = ([String](), String?.none, true)
            while isFirst || next != nil {
                isFirst = false
                let answer = try await page(next)
                seen += answer.json["sessions"].array.compactMap { $0["sessionId"].string }
                next = answer.json["nextCursor"].string
                guard seen.count == 2, let last = sessions.first(where: { !seen.contains($0.id) }) else { continue }
                // It moves to where the listing is past already.
                let before = try await cluster.nodes[1].api.call("GET", "/v1/sessions/\(last.id)").json["lastActiveAt"]
                try await eventually("its use is told") {
                    _ = try await cluster.nodes[1].api.validate(last.token)
                    return try await cluster.nodes[1].api.call("GET", "/v1/sessions/\(last.id)").json["lastActiveAt"]
                        != before
                }
            }
            #expect(seen.count == 5 && Set(seen) == Set(sessions.map(\.id)))
        }

        @Test("the inventory says when a session was used last, on whatever node that was")
        func lastActive() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let session = try await cluster.nodes[0].api.issue(user, kind: "remember")
            func lastActiveAt() async throws -> String? {
                try await cluster.nodes[1].api.call("GET", "/v1/sessions/\(session.id)").json["lastActiveAt"].string
            }
            let issued = try #require(try await lastActiveAt())
            try await eventually("its use is told") {
                _ = try await cluster.nodes[2].api.validate(session.token)
                return try await lastActiveAt().map { $0 > issued } ?? false
            }
        }
    }
}
