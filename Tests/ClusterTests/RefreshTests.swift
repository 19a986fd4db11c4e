// Renewal: one living family of refresh tokens whoever asks at once, an old one ends the session, nothing that is revoked is
// renewed, on whichever node any of it happens.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct Refresh {
        /// How many times the races are run: few in CI, more by `make races`.
        static let races = ProcessInfo.processInfo.environment["CURFEW_RACES"].flatMap { Int($0) } ?? 25

        @Test("an api session gets a new pair from any node, and within the grace the same one again")
        func pair() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(
                ClusterHarness.newUser(), device: "phone", kind: "api", permissions: ["docs:read"])
            let refreshToken = try #require(session.refreshToken)
            #expect(session.crossSiteToken == nil)
            let first = try await cluster.nodes[1].api.refresh(refreshToken)
            let renewed = try renewed(first)
            #expect(renewed.id == session.id)
            #expect(first.json["kind"] == "api")
            #expect(first.json["deviceId"] == "phone")
            #expect(first.header("set-cookie") == nil)
            let again = try self.renewed(try await cluster.nodes[2].api.refresh(refreshToken))
            #expect(again == renewed)
            try await cluster.expectActive([session, renewed])
            let valid = try await cluster.nodes[0].api.validate(renewed.token)
            #expect(valid.json["permissions"] == ["docs:read"])
            let next = try self.renewed(try await cluster.nodes[0].api.refresh(try #require(renewed.refreshToken)))
            #expect(next.refreshToken != renewed.refreshToken)
        }

        @Test("a Redis that may not write says of nobody that there is no such session: 503, and 401 once it may")
        func unprovenAbsence() async throws {
            try await ClusterHarness.run { cluster in
                try await cluster.settle()
                let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "api")
                let refreshToken = try #require(session.refreshToken)
                // As a primary that was demoted before it had heard of the login.
                for key in try cluster.redis.call(["KEYS", "*:s:\(session.id)"]).split(separator: "\n") {
                    try cluster.redis.call(["DEL", String(key)])
                }
                try cluster.redis.call(["CONFIG", "SET", "min-replicas-to-write", "1"])
                for node in cluster.nodes {
                    #expect(try await node.api.refresh(refreshToken).status == 503)
                    let rotated = try await node.api.call(
                        "POST", "/v1/sessions/\(session.id)/rotate", body: .object([:]))
                    #expect(rotated.status == 503)
                }
                try cluster.redis.call(["CONFIG", "SET", "min-replicas-to-write", "0"])
                for node in cluster.nodes {
                    try await node.ready()
                    #expect(try await node.api.refresh(refreshToken).code == "session_not_found")
                }
            }
        }

        @Test("permissions that were taken fit into the next cookie, whatever device and tenant the session names")
        func largestPermissions() async throws {
            let cluster = try await SharedCluster.ready()
            let api = cluster.nodes[0].api
            let (user, longest) = (ClusterHarness.newUser(), String(repeating: "\"", count: 128))
            let session = try await api.issue(user, device: longest, tenant: longest)
            var names: [String] = []
            while names.count < 60 {
                let more = names + ["docs:\(names.count):" + String(repeating: "x", count: 60)]
                let answer = try await api.setPermissions(of: user, to: more, waits: true)
                guard answer.status == 200 else {
                    #expect(answer.code == "value_out_of_range")
                    break
                }
                names = more
            }
            #expect((5..<60).contains(names.count))
            let fields = [
                ("Cookie", "__Host-curfew=\(session.token)"), ("X-CSRF-Token", try #require(session.crossSiteToken)),
            ]
            let answer = try await api.call("POST", "/v1/refresh", on: .public, headers: fields)
            #expect(answer.status == 200, "\(answer.everything)")
            let cookie = try #require(answer.header("set-cookie")).prefix { $0 != ";" }
            #expect(cookie.utf8.count <= 4_096)
        }

        @Test("an old refresh token ends the session on every node: 401 refresh_token_reused")
        func reuse() async throws {
            let cluster = try await SharedCluster.ready()
            let login: JSON = [
                "userId": .string(ClusterHarness.newUser()), "kind": "api", "ipAddress": "192.0.2.1",
                "userAgent": "curl/8",
            ]
            let session = try #require(
                TestSession(try await cluster.nodes[0].api.call("POST", "/v1/issue", body: login).json))
            let stolen = try #require(session.refreshToken)
            var last = session
            // More uses than the grace of ten seconds remembers.
            for number in 0..<10 {
                last = try renewed(try await cluster.nodes[number % 3].api.refresh(try #require(last.refreshToken)))
            }
            let answer = try await cluster.nodes[1].api.refresh(stolen)
            #expect(answer.status == 401)
            #expect(answer.code == "refresh_token_reused")
            #expect(answer.header("www-authenticate")?.contains("invalid_token") == true)
            try await cluster.expectRevoked([session, last])
            let late = try await cluster.nodes[2].api.refresh(try #require(last.refreshToken))
            #expect(late.status == 401)
            #expect(late.code == "session_revoked")
            try await eventually("told of who used it: nobody that the proxy here names") {
                let lines = cluster.nodes[1].log.split(separator: "\n").filter {
                    $0.contains("\"signal\":\"refresh_token_reused\"") && $0.contains(session.id)
                }
                return lines.count == 1 && !lines[0].contains("ipAddress")
            }
        }

        @Test("64 refreshes of one token at once over three nodes leave one living family", arguments: rounds)
        func parallel(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            for _ in 0..<max(1, Self.races / 5) {
                let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "api")
                let refreshToken = try #require(session.refreshToken)
                let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                    for number in 0..<64 {
                        let api = cluster.nodes[number % 3].api
                        group.addTask { try await api.refresh(refreshToken) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let pairs = Set(try answers.map(renewed))
                #expect(pairs.count == 1)
                let pair = try #require(pairs.first)
                _ = try renewed(try await cluster.nodes[1].api.refresh(try #require(pair.refreshToken)))
            }
        }

        @Test("promise 5: no renewal that races a revoke outlives it", arguments: rounds)
        func againstRevoke(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            for race in 0..<Self.races {
                let session = try await cluster.nodes[race % 3].api.issue(
                    ClusterHarness.newUser(), kind: race % 2 == 0 ? "api" : "web")
                let target: [String: JSON] =
                    race % 4 < 2 ? ["sessionId": .string(session.id)] : ["userId": .string(session.user)]
                let revoking = cluster.nodes[race % 3]
                async let ended = revoking.api.revoke(target, .cluster)
                let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                    for node in cluster.nodes { group.addTask { try await refresh(session, on: node) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(try await ended.status == 200)
                let renewals = answers.compactMap { TestSession($0.json) }
                for answer in answers where answer.status != 200 {
                    #expect(["session_revoked", "session_not_found"].contains(answer.code), "\(answer.everything)")
                }
                try await cluster.expectRevokedNow([session] + renewals)
                for node in cluster.nodes {
                    for one in [session] + renewals {
                        let late = try await refresh(one, on: node)
                        #expect(late.status == 401, "\(late.everything)")
                    }
                }
            }
        }

        @Test(
            "to a cookie the new token travels as a cookie only, and its CSRF token is asked for",
            arguments: ["web", "remember"])
        func cookie(kind: String) async throws {
            let cluster = try await SharedCluster.ready()
            let api = cluster.nodes[0].api
            let issued = try await api.call(
                "POST", "/v1/issue", body: ["userId": .string(ClusterHarness.newUser()), "kind": .string(kind)])
            let session = try #require(TestSession(issued.json))
            let token = try #require(session.crossSiteToken)
            let age = kind == "web" ? "" : "; Max-Age=2592000"
            let attributes = "\(age); Path=/; Secure; HttpOnly; SameSite=Lax"
            #expect(issued.setCookies == ["__Host-curfew=\(session.token)\(attributes)"])
            let cookie = ("Cookie", "theme=dark; __Host-curfew=\(session.token)")
            for wrong in [nil, "", "x", String(token.dropLast()), token + "x"] {
                let fields = [cookie] + (wrong.map { [("X-CSRF-Token", $0)] } ?? [])
                let answer = try await cluster.nodes[1].api.call("POST", "/v1/refresh", on: .public, headers: fields)
                #expect(answer.status == 403, "\(wrong ?? "none")")
                #expect(answer.code == "csrf_failed", "\(wrong ?? "none")")
                #expect(answer.header("set-cookie") == nil)
            }
            let answer = try await cluster.nodes[1].api.call(
                "POST", "/v1/refresh", on: .public, headers: [cookie, ("X-CSRF-Token", token)])
            #expect(answer.status == 200)
            #expect(answer.json["token"] == .null)
            #expect(answer.json["csrfToken"].string == token)
            let renewed = try #require(answer.setCookies.first)
            #expect(renewed.hasPrefix("__Host-curfew=eyJ"))
            #expect(renewed.hasSuffix(attributes))
            let csrf = try await cluster.nodes[2].api.call("GET", "/v1/csrf", on: .public, headers: [cookie])
            #expect(csrf.json["csrfToken"].string == token)
            #expect(csrf.setCookies == ["__Host-curfew-csrf=\(token); Path=/; Secure; SameSite=Strict"])
        }

        @Test("a token that ran out is renewed while its session lives, and says so where it does not")
        func afterTheToken() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser(), kind: "remember")
            let forge = try #require(TokenForge(token: session.token, secret: node.settings.secret))
            let old = forge.changing("exp", to: "1700000000")
            #expect(try await node.api.validate(old).code == "token_expired")
            let renewed = try renewed(try await cluster.nodes[1].api.refresh(bearing: old))
            try await cluster.expectActive([renewed])
            try await revoke(["userId": .string(session.user)], on: cluster.nodes[2], .cluster)
            let late = try await cluster.nodes[1].api.refresh(bearing: old)
            #expect(late.status == 401)
            #expect(["session_revoked", "session_not_found"].contains(late.code))
        }

        @Test("what is no good for a renewal gets its documented answer")
        func badInput() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser(), kind: "api")
            let web = try await node.api.issue(ClusterHarness.newUser())
            let dead = try await node.api.issue(ClusterHarness.newUser(), kind: "api")
            try await revoke(["sessionId": .string(dead.id)], on: node, .cluster)
            let good = try #require(session.refreshToken)
            let digits = session.id.dropFirst(4)
            let rows: [(name: String, body: JSON?, bearer: String?, status: Int, code: String)] = [
                ("nothing", nil, nil, 401, "token_missing"),
                ("an empty object", [:], nil, 401, "token_missing"),
                ("null", ["refreshToken": .null], nil, 401, "token_missing"),
                ("a number", ["refreshToken": 1], nil, 400, "malformed_request"),
                ("an unknown member", ["refresh_token": .string(good)], nil, 400, "unknown_field"),
                ("one more member", ["refreshToken": .string(good), "wait": "none"], nil, 400, "unknown_field"),
                ("nobody's", ["refreshToken": "x"], nil, 401, "token_malformed"),
                ("an empty one", ["refreshToken": ""], nil, 401, "token_malformed"),
                (
                    "a very long one", ["refreshToken": .string(good + String(repeating: "a", count: 9_000))], nil, 401,
                    "token_malformed"
                ),
                (
                    "spoilt", ["refreshToken": .string(String(good.dropLast(1)) + (good.hasSuffix("A") ? "B" : "A"))],
                    nil, 401, "token_signature_invalid"
                ),
                (
                    "of a generation that was not given", ["refreshToken": .string(good.replacing(".1.", with: ".2."))],
                    nil, 401, "token_signature_invalid"
                ),
                (
                    "of generation 0", ["refreshToken": .string(good.replacing(".1.", with: ".0."))], nil, 401,
                    "token_malformed"
                ),
                (
                    "with a zero in front", ["refreshToken": .string(good.replacing(".1.", with: ".01."))], nil, 401,
                    "token_malformed"
                ),
                ("its session's token", ["refreshToken": .string(session.token)], nil, 401, "token_malformed"),
                (
                    "of another's session",
                    ["refreshToken": .string(good.replacing(digits, with: web.id.dropFirst(4)))], nil, 401,
                    "token_signature_invalid"
                ),
                (
                    "of a revoked session", ["refreshToken": .string(dead.refreshToken ?? "")], nil, 401,
                    "session_revoked"
                ),
                ("an api session's token", nil, session.token, 400, "malformed_request"),
                ("no token", nil, "x", 401, "token_malformed"),
                ("a refresh token as the bearer", nil, good, 401, "token_malformed"),
                ("a forged token", nil, TokenForge.flippingSignature(of: web.token), 401, "token_signature_invalid"),
            ]
            for row in rows {
                let fields = row.bearer.map { [("Authorization", "Bearer \($0)")] } ?? []
                let answer = try await node.api.call(
                    "POST", "/v1/refresh", on: .public, body: row.body, headers: fields)
                #expect(answer.status == row.status, "\(row.name): \(answer.everything)")
                #expect(answer.code == row.code, "\(row.name): \(answer.everything)")
                #expect(!answer.everything.contains(good), "\(row.name)")
                #expect((answer.status == 401) == (answer.header("www-authenticate") != nil), "\(row.name)")
            }
            for (name, fields, code) in [
                ("nothing", [], "token_missing"), ("no token", [("Authorization", "Bearer x")], "token_malformed"),
                ("a revoked one", [("Cookie", "__Host-curfew=\(dead.token)")], "session_revoked"),
            ] {
                let answer = try await node.api.call("GET", "/v1/csrf", on: .public, headers: fields)
                #expect(answer.status == 401, "\(name)")
                #expect(answer.code == code, "\(name)")
            }
            // None of it has used the good one up.
            _ = try renewed(try await node.api.refresh(good))
        }

        private func renewed(_ answer: HTTPAnswer) throws -> TestSession {
            guard answer.status == 200, let session = TestSession(answer.json) else {
                throw UnexpectedAnswer("refresh", answer)
            }
            return session
        }

        private func refresh(_ session: TestSession, on node: NodeProcess) async throws -> HTTPAnswer {
            if let refreshToken = session.refreshToken { return try await node.api.refresh(refreshToken) }
            return try await node.api.refresh(bearing: session.token)
        }
    }
}
