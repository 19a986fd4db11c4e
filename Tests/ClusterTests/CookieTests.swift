// Cookies as browsers, proxies and attackers send them.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct SessionCookies {
        private func validate(_ cookies: [String], on node: NodeProcess) async throws -> HTTPAnswer {
            try await node.api.call("GET", "/v1/validate", on: .public, headers: cookies.map { ("Cookie", $0) })
        }

        @Test("ours counts among many, in quotes, and twice the same; two that differ are 400")
        func among() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let other = try await node.api.issue(ClusterHarness.newUser())
            let ours = "__Host-curfew=\(session.token)"
            let many = (0..<50).map { "c\($0)=\(String(repeating: "x", count: 40))" }.joined(separator: "; ")
            for cookies in [
                [ours], ["\(many); \(ours); a=b"], [many, ours], ["__Host-curfew=\"\(session.token)\""],
                ["\(ours); \(ours)"], ["__Host-curfew=\"\(session.token)\"; \(ours)"], ["__Host-curfew=; \(ours)"],
                ["__host-curfew=x; __Host-curfew2=y; \(ours)"],
            ] {
                let answer = try await validate(cookies, on: node)
                #expect(answer.status == 200 && answer.json["sessionId"].string == session.id, "\(cookies)")
            }
            for cookies in [["\(ours); __Host-curfew=\(other.token)"], [ours, "__Host-curfew=\(other.token)"]] {
                let answer = try await validate(cookies, on: node)
                #expect(answer.status == 400 && answer.code == "malformed_request")
            }
            let lone = try await validate(["__Host-curfew=\"\(session.token)"], on: node)
            #expect(lone.status == 401 && lone.code == "token_malformed")
        }

        @Test("each login has an id and tokens of its own, whatever its browser or the one before it had")
        func fresh() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let user = ClusterHarness.newUser()
            var sessions: [TestSession] = []
            for kind in ["api", "api", "web", "web"] {
                let former = sessions.last.map { [("Cookie", "__Host-curfew=\($0.token)")] } ?? []
                let answer = try await node.api.call(
                    "POST", "/v1/issue", body: ["userId": .string(user), "kind": .string(kind), "deviceId": "phone"],
                    headers: former)
                sessions.append(try #require(TestSession(answer.json)))
            }
            #expect(Set(sessions.map(\.id)).count == 4 && Set(sessions.map(\.token)).count == 4)
            #expect(Set(sessions.compactMap(\.refreshToken)).count == 2)
        }

        @Test("a cookie bomb is 431, ends nobody's session, and the next request is answered")
        func bomb() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[1]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let ours = "__Host-curfew=\(session.token)"
            let bomb = String(repeating: "x", count: 4_000)
            for cookies in [
                (0..<5).map { "bomb\($0)=\(bomb)" } + [ours], [String(repeating: "a=b; ", count: 4_000) + ours],
                Array(repeating: "a=b", count: 110) + [ours],
            ] {
                let answer = try await validate(cookies, on: node)
                #expect(answer.status == 431 && answer.code == "head_too_large", "\(answer.everything)")
                #expect(answer.header("set-cookie") == nil)
            }
            #expect(try await validate([ours], on: node).status == 200)
        }
    }

    @Suite(.cluster()) struct OtherPeople {
        @Test(
            "nothing that belongs to another user, put in any place of any call, reads or changes that user's sessions")
        func nobodyElses() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let (me, other) = (ClusterHarness.newUser(), ClusterHarness.newUser())
            let mine = try await node.api.issue(me, device: "phone")
            let theirs = [
                try await node.api.issue(other, device: "phone"), try await node.api.issue(other, kind: "remember"),
                try await node.api.issue(other, device: "phone", kind: "api"),
            ]
            let bearer = ("Authorization", "Bearer \(mine.token)")
            func call(_ method: String, _ path: String, _ body: JSON? = nil, _ more: [(String, String)] = [])
                async throws
                -> HTTPAnswer
            {
                let answer = try await node.api.call(method, path, on: .public, body: body, headers: [bearer] + more)
                for session in theirs {
                    #expect(!answer.everything.contains(session.id) && !answer.everything.contains(other), "\(path)")
                }
                return answer
            }
            for session in theirs {
                #expect(try await call("DELETE", "/v1/sessions/\(session.id)").code == "not_found")
                #expect(try await call("GET", "/v1/sessions/\(session.id)").status == 405)
                // By the cookie, with the other's cross-site token.
                let crossSite = try await node.api.call(
                    "GET", "/v1/csrf", on: .public, headers: [("Authorization", "Bearer \(session.token)")])
                let token = try #require(crossSite.json["csrfToken"].string)
                for (method, path) in [
                    ("POST", "/v1/refresh"), ("POST", "/v1/logout"), ("DELETE", "/v1/sessions/\(mine.id)"),
                ] {
                    let answer = try await node.api.call(
                        method, path, on: .public,
                        headers: [("Cookie", "__Host-curfew=\(mine.token)"), ("X-CSRF-Token", token)])
                    #expect(answer.status == 403 && answer.code == "csrf_failed", "\(method) \(path)")
                }
            }
            // A cursor of another's listing shows the caller's own sessions, or none.
            let page = try await node.api.call("GET", "/v1/users/\(other)/sessions?limit=1")
            let cursor = try #require(page.json["nextCursor"].string)
            #expect(try await call("GET", "/v1/sessions?cursor=\(cursor)").status == 200)
            // Fields that a call does not have, such as somebody to do it to, are no fields.
            for body: JSON in [
                ["userId": .string(other)], ["scope": "all", "userId": .string(other)],
                ["sessionId": .string(theirs[0].id)],
                ["scope": "device", "deviceId": "phone", "userId": .string(other)],
            ] {
                #expect(try await call("POST", "/v1/logout", body).code == "unknown_field")
            }
            #expect(try await call("POST", "/v1/refresh", ["sessionId": .string(theirs[0].id)]).code == "unknown_field")
            // The other's place in the log opens nothing but the caller's own stream.
            let changed = try await node.api.setPermissions(of: other, to: ["a"])
            let fence = try #require(changed.json["fence"].string)
            let stream = try EventSource(
                port: node.settings.publicPort, path: "/v1/events", fields: [bearer, ("Last-Event-ID", fence)])
            #expect(try await stream.head().status == 200)
            // Each scope ends the caller's own only: the same device's name is another device.
            for scope in ["device", "others", "all"] {
                let session = try await node.api.issue(me, device: "phone")
                let answer = try await node.api.call(
                    "POST", "/v1/logout", on: .public, body: ["scope": .string(scope), "wait": "cluster"],
                    headers: [("Authorization", "Bearer \(session.token)")])
                #expect(answer.status == 200, "\(answer.everything)")
            }
            try await cluster.expectActive(theirs)
            try await cluster.expectRevoked([mine])
        }
    }

    @Suite(.cluster(ClusterOptions(nodes: 2, arguments: ["--insecure-cookies"]))) struct InsecureCookies {
        @Test("plain names without Secure, both ways, for development on loopback; said at start")
        func everywhere() async throws {
            let cluster = try await SharedCluster.ready()
            let (node, other) = (cluster.nodes[0], cluster.nodes[1])
            #expect(
                node.log.contains("warn") && node.log.contains("insecure-cookies: session cookies go without Secure"))
            let issued = try await node.api.call(
                "POST", "/v1/issue", body: ["userId": .string(ClusterHarness.newUser()), "kind": "web"])
            let session = try #require(TestSession(issued.json))
            #expect(issued.setCookies == ["curfew=\(session.token); Path=/; HttpOnly; SameSite=Lax"])
            let cookie = ("Cookie", "curfew=\(session.token)")
            func call(_ method: String, _ path: String, _ headers: [(String, String)] = []) async throws -> HTTPAnswer {
                try await other.api.call(method, path, on: .public, headers: [cookie] + headers)
            }
            #expect(try await call("GET", "/v1/validate").status == 200)
            let csrf = try await call("GET", "/v1/csrf")
            let token = try #require(csrf.json["csrfToken"].string)
            #expect(csrf.setCookies == ["curfew-csrf=\(token); Path=/; SameSite=Strict"])
            #expect(try await call("POST", "/v1/logout").code == "csrf_failed")
            let out = try await call("POST", "/v1/logout", [("X-CSRF-Token", token)])
            #expect(
                out.setCookies == [
                    "curfew=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
                    "curfew-csrf=; Max-Age=0; Path=/; SameSite=Strict",
                ])
            #expect(try await call("GET", "/v1/validate").code == "session_revoked")
        }
    }
}
