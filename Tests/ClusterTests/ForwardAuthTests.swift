// Forward auth as a proxy meets it: who it is in fields, no body; what it may insist on; and that no visitor's own path, query or
// field opens a door.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster(ClusterOptions(arguments: ["--web-renew-after", "0.000001"]))) struct ForwardAuth {
        private static let path = "/v1/forward-auth"

        private func ask(
            _ cluster: ClusterHarness, _ target: String = path, method: String = "GET", _ fields: [(String, String)],
            body: JSON? = nil
        ) async throws -> HTTPAnswer {
            try await cluster.nodes[1].api.call(method, target, on: .public, body: body, headers: fields)
        }

        private func ask(_ cluster: ClusterHarness, _ fields: [(String, String)]) async throws -> HTTPAnswer {
            try await ask(cluster, Self.path, fields)
        }

        private func bearer(_ session: TestSession) -> (String, String) { ("Authorization", "Bearer \(session.token)") }
        private func cookie(_ session: TestSession) -> (String, String) { ("Cookie", "__Host-curfew=\(session.token)") }

        private func login(
            _ cluster: ClusterHarness, user: String = ClusterHarness.newUser(), device: String? = nil,
            permissions: [String] = [], kind: String = "web"
        ) async throws -> TestSession {
            let session = try await cluster.nodes[0].api.issue(
                user, device: device, kind: kind, permissions: permissions)
            try await cluster.expectActive([session])
            return session
        }

        @Test("says who it is, by any method and under any path, and nothing after a revoke")
        func identity() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(
                cluster, user: "Åse, \(ClusterHarness.newUser())", device: "a b",
                permissions: ["docs:read", "docs:write"])
            let user = session.user.replacing("Å", with: "%C3%85").replacing(",", with: "%2C").replacing(
                " ", with: "%20")
            let targets = [
                Self.path, Self.path + "/", Self.path + "/admin/%zz?require=root&csrf=maybe&a=1&a=2",
                Self.path + "/v1/revoke",
            ]
            for (index, target) in targets.enumerated() {
                for method in ["GET", "POST", "DELETE", "PROPFIND"] {
                    let answer = try await ask(
                        cluster, target, method: method, [index % 2 == 0 ? bearer(session) : cookie(session)],
                        body: method == "POST" ? ["any": "thing"] : nil)
                    #expect(answer.status == 200 && answer.body.isEmpty, "\(method) \(target): \(answer.everything)")
                    #expect(answer.header("x-curfew-user") == user)
                    #expect(answer.header("x-curfew-session") == session.id)
                    #expect(answer.header("x-curfew-device") == "a%20b")
                    #expect(answer.header("x-curfew-stale") == "false")
                    #expect(answer.header("x-curfew-permissions") == "docs:read,docs:write")
                    #expect(answer.header("set-cookie") == nil)
                }
            }
            let bare = try await login(cluster)
            #expect(
                try await ask(cluster, [bearer(bare), ("X-Curfew-Device", "forged")]).header("x-curfew-device") == "")
            try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[2], .cluster)
            for target in targets {
                let answer = try await ask(cluster, target, [bearer(session)])
                #expect(answer.status == 401 && answer.code == "session_revoked")
                #expect(answer.header("x-curfew-user") == nil)
            }
            #expect(try await ask(cluster, []).code == "token_missing")
            #expect(try await ask(cluster, [("Authorization", "Bearer nonsense")]).code == "token_malformed")
        }

        @Test("lets nobody through who lacks one of the permissions, wherever the proxy names them")
        func permissions() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster, permissions: ["docs:read", "docs:write"])
            let me = bearer(session)
            for target in [
                "?require=docs:read", "?require=docs:read&require=docs:write", "?require=docs:read,docs:write",
            ] {
                #expect(try await ask(cluster, Self.path + target, [me]).status == 200)
            }
            for target in ["?require=root", "?require=docs:read&require=root", "?require=docs:read,%20root"] {
                let answer = try await ask(cluster, Self.path + target, [me])
                #expect(answer.status == 403 && answer.code == "permission_missing", "\(target)")
            }
            let under = Self.path + "/docs?require=docs:read"
            #expect(try await ask(cluster, under, [me, ("Curfew-Require", "docs:read, docs:write")]).status == 200)
            let refused = [
                [("Curfew-Require", "docs:read,root")], [("Curfew-Require", "docs:read"), ("Curfew-Require", "root")],
            ]
            for fields in refused {
                for target in [under, Self.path] {
                    #expect(try await ask(cluster, target, [me] + fields).code == "permission_missing")
                }
            }
            try await cluster.nodes[2].api.setPermissions(of: session.user, to: ["root"], waits: true)
            #expect(try await ask(cluster, Self.path + "?require=root", [me]).status == 200)
            #expect(try await ask(cluster, Self.path + "?require=docs:read", [me]).status == 403)
        }

        @Test(
            "a typo opens no door",
            arguments: [
                "requires=root", "require=", "require=a,,b", "require=a%22b", "csrf=yes", "csrf=", "csrf=TRUE",
                "renew=1",
                "csrf=true&csrf=true", "renew=true&renew=false", "Require=root", "maxAuthAge=soon", "unknown",
            ])
        func typos(query: String) async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster)
            let answer = try await ask(cluster, "\(Self.path)?\(query)", [bearer(session)])
            #expect(answer.status == 400, "\(answer.everything)")
            #expect(["unknown_field", "value_out_of_range"].contains(answer.code))
            for field in [("Curfew-Csrf", "yes"), ("Curfew-Require", "a,,b"), ("Curfew-Require", "")] {
                #expect(try await ask(cluster, Self.path + "/x", [bearer(session), field]).status == 400)
            }
        }

        @Test(
            "with csrf, an unsafe method by the cookie needs the token; the method is a trusted proxy's word, or unsafe"
        )
        func crossSite() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster)
            let me = cookie(session)
            let token = ("X-CSRF-Token", try await ask(cluster, "/v1/csrf", [me]).json["csrfToken"].string ?? "")
            for target in [Self.path + "?csrf=true", Self.path + "/page"] {
                let wish = target.hasSuffix("page") ? [("Curfew-Csrf", "true")] : []
                func status(_ fields: [(String, String)]) async throws -> String {
                    let answer = try await ask(cluster, target, wish + fields)
                    return answer.status == 200 ? "200" : answer.code ?? ""
                }
                for field in ["X-Forwarded-Method", "X-Original-Method"] {
                    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
                        #expect(try await status([me, (field, method)]) == "200")
                    }
                    for method in ["POST", "DELETE", "get", "", "PROPFIND"] {
                        #expect(try await status([me, (field, method)]) == "csrf_failed")
                        #expect(try await status([me, (field, method), token]) == "200")
                    }
                }
                #expect(try await status([me]) == "csrf_failed")
                let two = [("X-Forwarded-Method", "GET"), ("X-Original-Method", "POST")]
                #expect(try await status([me] + two) == "csrf_failed")
                #expect(try await status([me, ("X-CSRF-Token", "wrong")]) == "csrf_failed")
                #expect(try await status([bearer(session)]) == "200")
            }
            #expect(try await ask(cluster, [me]).status == 200)
        }

        @Test("with renew, past the renewal point the answer carries the renewed cookie, of cookies only")
        func renewal() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster)
            try await eventually("the token asks for a refresh") {
                try await cluster.nodes[1].api.validate(session.token).json["refresh"].bool == true
            }
            let answer = try await ask(cluster, Self.path + "?renew=true", [cookie(session)])
            let cookie = try #require(answer.header("set-cookie"))
            #expect(answer.status == 200)
            #expect(
                cookie.hasPrefix("__Host-curfew=ey") && cookie.hasSuffix("; Path=/; Secure; HttpOnly; SameSite=Lax"))
            let renewed = String(cookie.dropFirst("__Host-curfew=".count).prefix { $0 != ";" })
            #expect(try await cluster.nodes[2].api.validate(renewed).json["sessionId"].string == session.id)
            #expect(try await ask(cluster, Self.path, [self.cookie(session)]).header("set-cookie") == nil)
            #expect(try await ask(cluster, Self.path + "?renew=true", [bearer(session)]).header("set-cookie") == nil)
            for key in try cluster.redis.call(["KEYS", "*:s:\(session.id)"]).split(separator: "\n") {
                try cluster.redis.call(["DEL", String(key)])
            }
            // (Another node has not renewed that cookie a moment ago.)
            let lost = try await cluster.nodes[2].api.call(
                "GET", Self.path + "?renew=true", on: .public, headers: [self.cookie(session)])
            #expect(lost.status == 200 && lost.header("set-cookie") == nil, "a token is good without its record")
            let api = try await login(cluster, kind: "api")
            #expect(try await ask(cluster, Self.path + "?renew=true", [self.cookie(api)]).header("set-cookie") == nil)
        }

        @Test(
            "the parts of a page that come at once with the cookie of before are one renewal, also past the rate limit")
        func atOnce() async throws {
            let options = ClusterOptions(nodes: 2, arguments: ["--rate-limit-refresh", "2/60s"])
            try await ClusterHarness.run(options) { cluster in
                let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "remember")
                let forge = try #require(TokenForge(token: session.token, secret: cluster.nodes[0].settings.secret))
                let old = ("Cookie", "__Host-curfew=\(forge.changing("exp", to: "1700000000"))")
                func visit() async throws -> HTTPAnswer {
                    try await cluster.nodes[0].api.call("GET", Self.path + "?renew=true", on: .public, headers: [old])
                }
                let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                    for _ in 0..<40 { group.addTask { try await visit() } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(answers.allSatisfy { $0.status == 200 && $0.header("x-curfew-user") == session.user })
                #expect(Set(answers.map { $0.header("set-cookie") }).count == 1)
                try await eventually("it is told once") {
                    cluster.nodes[0].log.split(separator: "\n").count { $0.contains("session.renewed") } == 1
                }
                // What it is answered from is as fresh as ever.
                _ = try await cluster.nodes[1].api.revoke(["sessionId": .string(session.id)], .cluster)
                let late = try await visit()
                #expect(late.status == 401 && late.code == "session_revoked" && late.header("set-cookie") == nil)
                #expect(cluster.nodes[0].log.split(separator: "\n").count { $0.contains("session.renewed") } == 1)
            }
        }

        @Test(
            "with renew a cookie whose token has run out is renewed as long as its session lives, for the application's pages only"
        )
        func afterTheToken() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster, kind: "remember")
            let forge = try #require(TokenForge(token: session.token, secret: cluster.nodes[0].settings.secret))
            let old = ("Cookie", "__Host-curfew=\(forge.changing("exp", to: "1700000000"))")
            let (renewing, checking) = (Self.path + "?renew=true", Self.path + "?renew=true&csrf=true")
            for (path, fields) in [
                (Self.path, [old]),
                (renewing, [("Authorization", "Bearer \(old.1.dropFirst("__Host-curfew=".count))")]),
            ] {
                let refused = try await ask(cluster, path, fields)
                #expect(refused.status == 401 && refused.code == "token_expired", "\(refused.everything)")
            }
            let forged = try await ask(cluster, checking, method: "POST", [old])
            #expect(forged.status == 403 && forged.code == "csrf_failed" && forged.header("set-cookie") == nil)
            // The page asks for what it needs by the same cookie.
            let page = try await cluster.nodes[2].api.call("GET", "/v1/csrf", on: .public, headers: [old])
            #expect(page.status == 200, "\(page.everything)")
            let token = ("X-CSRF-Token", try #require(page.json["csrfToken"].string))
            for (path, method) in [(renewing, "GET"), (checking, "POST")] {
                let answer = try await ask(cluster, path, method: method, [old, token])
                #expect(answer.status == 200 && answer.header("x-curfew-user") == session.user, "\(answer.everything)")
                let cookie = try #require(answer.header("set-cookie"))
                #expect(cookie.contains("; Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax"), "\(cookie)")
                let renewed = String(cookie.dropFirst("__Host-curfew=".count).prefix { $0 != ";" })
                #expect(try await cluster.nodes[2].api.validate(renewed).json["sessionId"].string == session.id)
            }
            let refreshed = try await cluster.nodes[0].api.call(
                "POST", "/v1/refresh", on: .public, headers: [old, token])
            #expect(refreshed.status == 200, "\(refreshed.everything)")
            try await revoke(["userId": .string(session.user)], on: cluster.nodes[0], .cluster)
            let ended = try await ask(cluster, renewing, [old])
            #expect(ended.status == 401 && ended.header("set-cookie") == nil, "\(ended.everything)")
            #expect(["session_revoked", "session_not_found"].contains(ended.code), "\(ended.everything)")
            #expect(ended.json["active"] == false)
            #expect(try await cluster.nodes[1].api.call("GET", "/v1/csrf", on: .public, headers: [old]).status == 401)
        }
    }
}
