// What people see and end of their own sessions, by their session alone: every scope of logout, on every node at once, and
// nobody else's.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct OwnSessions {
        /// A user's sessions, in the order of their issue.
        private struct Screens {
            let phone: TestSession
            let tablet: TestSession
            let samePhone: TestSession
            let nowhere: TestSession

            init(_ cluster: ClusterHarness) async throws {
                let user = ClusterHarness.newUser()
                phone = try await cluster.nodes[0].api.issue(user, device: "phone", kind: "remember")
                tablet = try await cluster.nodes[1].api.issue(user, device: "tablet")
                samePhone = try await cluster.nodes[2].api.issue(user, device: "phone", kind: "api")
                nowhere = try await cluster.nodes[0].api.issue(user)
                try await cluster.expectActive(all)
            }

            var all: [TestSession] { [phone, tablet, samePhone, nowhere] }
        }

        @Test(
            "promise 3: a logout with wait cluster has ended its scope on every node, and nothing else",
            arguments: ["none", "current", "others", "device", "all"])
        func logout(scope: String) async throws {
            let cluster = try await SharedCluster.ready()
            let screens = try await Screens(cluster)
            let ended: [TestSession] =
                switch scope {
                case "others": [screens.tablet, screens.samePhone, screens.nowhere]
                case "device": [screens.phone, screens.samePhone]
                case "all": screens.all
                default: [screens.phone]
                }
            var body: [String: JSON] = ["wait": "cluster"]
            if scope != "none" { body["scope"] = .string(scope) }
            let answer = try await call(
                "POST", "/v1/logout", as: screens.phone, on: cluster.nodes[1], body: .object(body))
            try await cluster.expectRevokedNow(ended)
            try await cluster.expectActive(screens.all.filter { !ended.contains($0) })
            #expect(answer.status == 200)
            #expect(answer.json["revoked"].int == ended.count)
            #expect(answer.json["propagation"]["state"] == "acknowledged")
            let cookies = answer.setCookies
            #expect(
                cookies
                    == (scope == "others"
                        ? []
                        : [
                            "__Host-curfew=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax",
                            "__Host-curfew-csrf=; Max-Age=0; Path=/; Secure; SameSite=Strict",
                        ]))
            #expect(
                answer.header("clear-site-data")
                    == (["none", "current", "all"].contains(scope) ? #""cookies", "storage""# : nil))
        }

        @Test("a logout of the device is one of the session where it has none, and ends it where Redis lost the index")
        func device() async throws {
            let cluster = try await SharedCluster.ready()
            let screens = try await Screens(cluster)
            let scope: JSON = ["scope": "device", "wait": "cluster"]
            let own = try await call("POST", "/v1/logout", as: screens.nowhere, on: cluster.nodes[2], body: scope)
            #expect(own.json["revoked"] == 1)
            #expect(own.header("clear-site-data") != nil)
            try await cluster.expectRevokedNow([screens.nowhere])
            let index = try cluster.redis.call(["KEYS", "\(cluster.namespace):*:u:\(screens.phone.user)"])
            try cluster.redis.call(["DEL", index])
            _ = try await call("POST", "/v1/logout", as: screens.phone, on: cluster.nodes[0], body: scope)
            try await cluster.expectRevokedNow([screens.phone])
        }

        @Test("the inventory has the caller's sessions, says which is asking, and goes by pages")
        func inventory() async throws {
            let cluster = try await SharedCluster.ready()
            let screens = try await Screens(cluster)
            _ = try await Screens(cluster)
            let page = try await call("GET", "/v1/sessions", as: screens.tablet, on: cluster.nodes[2]).json
            let sessions = page["sessions"].array
            #expect(Set(sessions.compactMap { $0["sessionId"].string }) == Set(screens.all.map(\.id)))
            #expect(sessions.filter { $0["current"] == true }.map { $0["sessionId"].string } == [screens.tablet.id])
            #expect(sessions.allSatisfy { $0["userId"].string == screens.tablet.user })
            var seen: [String?] = []
            var path = "/v1/sessions?limit=1"
            for _ in screens.all {
                let page = try await call("GET", path, as: screens.phone, on: cluster.nodes[1]).json
                seen += page["sessions"].array.map { $0["sessionId"].string }
                path = "/v1/sessions?limit=1&cursor=\(page["nextCursor"].string ?? "")"
            }
            #expect(seen == sessions.map { $0["sessionId"].string })
        }

        @Test("what issue was told is read back, each where it belongs")
        func details() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let told: [String: JSON] = [
                "deviceId": "phone", "tenantId": "acme", "device": ["name": "Pixel 9", "platform": "android"],
                "ipAddress": "203.0.113.9", "location": "Oslo, NO", "userAgent": "Mozilla/5.0 (Linux; Android 15)",
                "authMethods": ["pwd", "otp"], "attributes": ["plan": "pro"],
            ]
            let issued = try await cluster.nodes[0].api.call(
                "POST", "/v1/issue", body: .object(told.merging(["userId": .string(user), "kind": "remember"]) { $1 }))
            let session = try #require(TestSession(issued.json))
            let one = try await cluster.nodes[1].api.call("GET", "/v1/sessions/\(session.id)").json
            let listed = try await cluster.nodes[2].api.call("GET", "/v1/users/\(user)/sessions").json["sessions"].array
            let own = try await cluster.nodes[1].api.call(
                "GET", "/v1/sessions", on: .public, headers: [("Authorization", "Bearer \(session.token)")])
            for view in [one] + listed + own.json["sessions"].array {
                for (name, value) in told { #expect(view[name] == value, "\(name)") }
                #expect(view["userId"].string == user && view["kind"] == "remember")
            }
            #expect(listed.count == 1 && own.json["sessions"].array.count == 1)
        }

        @Test("the session that was used last comes first; what ends or begins meanwhile takes nobody else off a page")
        func order() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            var sessions: [TestSession] = []
            for second in 0..<4 {
                if let last = sessions.last {
                    // Moments are told in whole seconds.
                    let made = try await cluster.nodes[0].api.call("GET", "/v1/sessions/\(last.id)").json["createdAt"]
                    try await eventually("another second") { try await Self.second(cluster) != made.string }
                }
                sessions.append(try await cluster.nodes[second % 3].api.issue(user, kind: "remember"))
            }
            let newestFirst = Array(sessions.map(\.id).reversed())
            func page(_ cursor: String?) async throws -> JSON {
                let suffix = cursor.map { "&cursor=\($0)" } ?? ""
                return try await cluster.nodes[1].api.call("GET", "/v1/users/\(user)/sessions?limit=1\(suffix)").json
            }
            let first = try await page(nil)
            #expect(first["sessions"].array.map { $0["sessionId"].string } == [newestFirst[0]])
            // The first, which was seen, ends; another begins, and is newer than all that is still to come.
            _ = try await cluster.nodes[2].api.revoke(["sessionId": .string(newestFirst[0])], .cluster)
            _ = try await cluster.nodes[0].api.issue(user, kind: "remember")
            var (seen, next) = ([String](), first["nextCursor"].string)
            while let cursor = next {
                let answer = try await page(cursor)
                seen += answer["sessions"].array.compactMap { $0["sessionId"].string }
                next = answer["nextCursor"].string
            }
            // (The one that began may come at the end.)
            #expect(seen.filter { newestFirst.contains($0) } == Array(newestFirst[1...]))
        }

        /// By Redis' clock.
        private static func second(_ cluster: ClusterHarness) async throws -> String? {
            let probe = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            return try await cluster.nodes[0].api.call("GET", "/v1/sessions/\(probe.id)").json["createdAt"].string
        }

        @Test("people end their own sessions one by one; every other user's are not found, and live on")
        func endOne() async throws {
            let cluster = try await SharedCluster.ready()
            let screens = try await Screens(cluster)
            let others = try await Screens(cluster)
            for other in others.all.map(\.id) + ["ses_1", "x", String(screens.phone.id.dropLast()) + "0"] {
                for (method, path) in [("DELETE", "/v1/sessions/\(other)"), ("GET", "/v1/sessions/\(other)")] {
                    let answer = try await call(method, path, as: screens.phone, on: cluster.nodes[0])
                    #expect(answer.status == (method == "GET" ? 405 : 404), "\(method) \(other)")
                    #expect(!answer.everything.contains(others.phone.user))
                }
            }
            try await cluster.expectActive(others.all + screens.all)
            let path = "/v1/sessions/\(screens.tablet.id)?wait=cluster"
            let ended = try await call("DELETE", path, as: screens.phone, on: cluster.nodes[1])
            #expect(ended.json["revoked"] == 1)
            #expect(ended.header("set-cookie") == nil)
            try await cluster.expectRevokedNow([screens.tablet])
            let again = try await call("DELETE", path, as: screens.phone, on: cluster.nodes[1])
            #expect(again.status == 404)
            let own = try await call(
                "DELETE", "/v1/sessions/\(screens.phone.id)?wait=cluster", as: screens.phone, on: cluster.nodes[2])
            #expect(own.header("set-cookie")?.hasPrefix("__Host-curfew=; Max-Age=0") == true)
            try await cluster.expectRevokedNow([screens.phone])
            try await cluster.expectActive([screens.samePhone, screens.nowhere])
        }

        @Test(
            "a logout by a cookie whose token has run out ends the session all the same; by such a bearer token it does not"
        )
        func afterTheToken() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "remember")
            try await cluster.expectActive([session])
            let forge = try #require(TokenForge(token: session.token, secret: cluster.nodes[0].settings.secret))
            let old = forge.changing("exp", to: "1700000000")
            func logout(_ fields: [(String, String)]) async throws -> HTTPAnswer {
                try await cluster.nodes[1].api.call(
                    "POST", "/v1/logout", on: .public, body: ["wait": "cluster"], headers: fields)
            }
            let cookie = ("Cookie", "__Host-curfew=\(old)")
            #expect(try await logout([("Authorization", "Bearer \(old)")]).code == "token_expired")
            #expect(try await logout([cookie]).code == "csrf_failed")
            try await cluster.expectActive([session])
            let answer = try await logout([cookie, ("X-CSRF-Token", try #require(session.crossSiteToken))])
            #expect(answer.status == 200 && answer.json["revoked"].int == 1, "\(answer.everything)")
            #expect(answer.header("set-cookie")?.contains("Max-Age=0") == true)
            try await cluster.expectRevokedNow([session])
        }

        @Test(
            "a logout that is made again takes the cookies away, too; one of an id that was replaced leaves its newer one"
        )
        func again() async throws {
            let cluster = try await SharedCluster.ready()
            let sessions = [
                try await cluster.nodes[0].api.issue(ClusterHarness.newUser()),
                try await cluster.nodes[0].api.issue(ClusterHarness.newUser()),
            ]
            try await revoke(["sessionId": .string(sessions[0].id)], on: cluster.nodes[0], .cluster)
            let rotated = try await cluster.nodes[0].api.call(
                "POST", "/v1/sessions/\(sessions[1].id)/rotate", body: ["grace": "0s"])
            #expect(rotated.status == 200)
            for (session, code) in zip(sessions, ["session_revoked", "session_superseded"]) {
                func logout(_ field: (String, String)) async throws -> HTTPAnswer {
                    try await cluster.nodes[1].api.call(
                        "POST", "/v1/logout", on: .public,
                        headers: [field, ("X-CSRF-Token", session.crossSiteToken ?? "")])
                }
                try await eventually("node 1 knows of it") {
                    try await cluster.nodes[1].api.validate(session.token).code == code
                }
                let byCookie = try await logout(("Cookie", "__Host-curfew=\(session.token)"))
                #expect(byCookie.status == 401 && byCookie.code == code, "\(byCookie.everything)")
                let cleared = byCookie.setCookies
                #expect(cleared.count == (code == "session_revoked" ? 2 : 0))
                #expect(cleared.allSatisfy { $0.contains("=; Max-Age=0;") })
                let byToken = try await logout(("Authorization", "Bearer \(session.token)"))
                #expect(byToken.code == code && byToken.header("set-cookie") == nil)
            }
        }

        @Test("by the cookie alone nothing is changed: 403 csrf_failed")
        func crossSite() async throws {
            let cluster = try await SharedCluster.ready()
            let screens = try await Screens(cluster)
            let cookie = ("Cookie", "__Host-curfew=\(screens.tablet.token)")
            let api = cluster.nodes[0].api
            let foreign = try #require(screens.nowhere.crossSiteToken)
            for (method, path) in [("POST", "/v1/logout"), ("DELETE", "/v1/sessions/\(screens.phone.id)")] {
                for wrong in [nil, "", "x", foreign] {
                    let fields = [cookie] + (wrong.map { [("X-CSRF-Token", $0)] } ?? [])
                    let answer = try await api.call(method, path, on: .public, headers: fields)
                    #expect(answer.status == 403, "\(method) \(path) \(wrong ?? "without")")
                    #expect(answer.code == "csrf_failed", "\(method) \(path) \(wrong ?? "without")")
                }
            }
            try await cluster.expectActive(screens.all)
            #expect(try await api.call("GET", "/v1/sessions", on: .public, headers: [cookie]).status == 200)
            let good = try #require(screens.tablet.crossSiteToken)
            let answer = try await api.call(
                "POST", "/v1/logout", on: .public, headers: [cookie, ("X-CSRF-Token", good)])
            #expect(answer.status == 200)
            try await cluster.expectRevoked([screens.tablet])
        }

        @Test("what is no good gets its documented answer, and ends nothing")
        func badInput() async throws {
            let cluster = try await SharedCluster.ready()
            let screens = try await Screens(cluster)
            let node = cluster.nodes[0]
            let bodies: [(body: JSON, code: String)] = [
                (["scope": "everywhere"], "value_out_of_range"), (["scope": "ALL"], "value_out_of_range"),
                (["scope": 1], "malformed_request"), (["scope": ["all"]], "malformed_request"),
                (["Scope": "all"], "unknown_field"), (["userId": "u_1"], "unknown_field"),
                (["wait": "all"], "value_out_of_range"), (["wait": true], "malformed_request"),
                (["timeoutMs": 0], "value_out_of_range"), (["timeoutMs": 60_001], "value_out_of_range"),
                (["durability": "both"], "value_out_of_range"),
                (["reason": .string(String(repeating: "r", count: 65))], "value_out_of_range"),
                (["all"], "malformed_request"), ("all", "malformed_request"),
            ]
            for (body, code) in bodies {
                let answer = try await call("POST", "/v1/logout", as: screens.phone, on: node, body: body)
                #expect(answer.status == 400, "\(body.text): \(answer.everything)")
                #expect(answer.code == code, "\(body.text)")
            }
            let paths: [(method: String, path: String, code: String)] = [
                ("POST", "/v1/logout?scope=all", "unknown_field"), ("GET", "/v1/sessions?userId=u_1", "unknown_field"),
                ("GET", "/v1/sessions?limit=0", "value_out_of_range"),
                ("GET", "/v1/sessions?limit=201", "value_out_of_range"),
                ("GET", "/v1/sessions?limit=ten", "value_out_of_range"),
                ("GET", "/v1/sessions?limit=1&limit=1", "unknown_field"),
                ("GET", "/v1/sessions?cursor=x", "malformed_request"),
                ("DELETE", "/v1/sessions/\(screens.tablet.id)?wait=now", "value_out_of_range"),
                ("DELETE", "/v1/sessions/\(screens.tablet.id)?scope=all", "unknown_field"),
            ]
            for (method, path, code) in paths {
                let answer = try await call(method, path, as: screens.phone, on: node)
                #expect(answer.status == 400, "\(method) \(path): \(answer.everything)")
                #expect(answer.code == code, "\(method) \(path)")
            }
            let dead = try await node.api.issue(ClusterHarness.newUser())
            try await revoke(["sessionId": .string(dead.id)], on: node, .cluster)
            for (token, code) in [
                (nil, "token_missing"), ("x", "token_malformed"), (dead.token, "session_revoked"),
                (TokenForge.flippingSignature(of: dead.token), "token_signature_invalid"),
            ] {
                for (method, path) in [
                    ("POST", "/v1/logout"), ("GET", "/v1/sessions"), ("DELETE", "/v1/sessions/\(screens.phone.id)"),
                ] {
                    let fields = token.map { [("Authorization", "Bearer \($0)")] } ?? []
                    let answer = try await node.api.call(method, path, on: .public, headers: fields)
                    #expect(answer.status == 401, "\(method) \(path) \(code)")
                    #expect(answer.code == code, "\(method) \(path)")
                }
            }
            try await cluster.expectActive(screens.all)
        }

        /// As the bearer of this session's token.
        private func call(
            _ method: String, _ path: String, as session: TestSession, on node: NodeProcess, body: JSON? = nil
        ) async throws -> HTTPAnswer {
            try await node.api.call(
                method, path, on: .public, body: body, headers: [("Authorization", "Bearer \(session.token)")])
        }
    }
}
