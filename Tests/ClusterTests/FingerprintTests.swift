// A token on another device than it was issued to, on real nodes: refused by what it shows, told, and where that is wanted the end of
// the session; and nothing of a fingerprint in Redis, in a token or in a log.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Fingerprints {
        private static let mine = "the window, the fonts, the time zone"
        private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

        private func issue(
            _ node: NodeProcess, kind: String = "web", fingerprint: String? = Self.mine
        ) async throws -> TestSession {
            var body: [String: JSON] = [
                "userId": .string(ClusterHarness.newUser()), "kind": .string(kind), "ipAddress": "192.0.2.1",
                "userAgent": "the owner's",
            ]
            body["fingerprint"] = fingerprint.map(JSON.string)
            let answer = try await node.api.call("POST", "/v1/issue", body: .object(body))
            guard answer.status == 201, let session = TestSession(answer.json) else {
                throw UnexpectedAnswer("issue", answer)
            }
            return session
        }

        /// Every call that takes a session's token, by what it is answered: status and code.
        private func answers(
            _ node: NodeProcess, _ token: String, _ fingerprint: String?
        ) async throws -> [(call: String, status: Int, code: String?)] {
            let headers =
                [
                    ("Authorization", "Bearer \(token)"), ("X-Forwarded-For", "198.51.100.1, 203.0.113.66"),
                    ("User-Agent", "the thief's"), ("traceparent", "00-\(Self.trace)-00f067aa0ba902b7-01"),
                ] + (fingerprint.map { [("Curfew-Fingerprint", $0)] } ?? [])
            var answers: [(String, Int, String?)] = []
            for (method, path) in [
                ("GET", "/v1/validate"), ("POST", "/v1/validate"), ("GET", "/v1/forward-auth"), ("GET", "/v1/csrf"),
                ("GET", "/v1/sessions"), ("POST", "/v1/refresh"),
            ] {
                let answer = try await node.api.call(method, path, on: .public, headers: headers)
                answers.append(("\(method) \(path)", answer.status, answer.code))
            }
            let strict = try await node.api.call(
                "GET", "/v1/validate", on: .public, headers: headers + [("Curfew-Consistency", "strict")])
            answers.append(("strict", strict.status, strict.code))
            let verdict = try await node.api.call(
                "POST", "/v1/validate", body: ["token": .string(token)],
                headers: headers.filter { $0.0.hasPrefix("Curfew") })
            answers.append(("admin", verdict.json["active"] == true ? 200 : 403, verdict.code))
            return answers
        }

        private func lines(_ cluster: ClusterHarness, _ event: String, _ session: TestSession) -> [String] {
            cluster.nodes.flatMap { $0.log.split(separator: "\n") }
                .filter { $0.contains("\"event\":\"\(event)\"") && $0.contains(session.id) }.map(String.init)
        }

        @Test("checked: the right one and none are taken, a wrong one is 403 device_mismatch everywhere, and is told")
        func checked() async throws {
            try await ClusterHarness.run { cluster in
                let session = try await issue(cluster.nodes[0])
                for node in cluster.nodes {
                    for right in [Self.mine, nil] {
                        for answer in try await answers(node, session.token, right) {
                            #expect(answer.status == 200, "\(answer)")
                        }
                    }
                    for wrong in ["another device", "", Self.mine + " ", String(repeating: "x", count: 256)] {
                        let isBlank = wrong.trimmingCharacters(in: .whitespaces) == Self.mine
                        for answer in try await answers(node, session.token, wrong) where !isBlank {
                            #expect(answer.status == 403 && answer.code == "device_mismatch", "\(answer) \(wrong)")
                        }
                    }
                    let tooLong = try await answers(node, session.token, String(repeating: "x", count: 257))
                    for answer in tooLong { #expect(answer.code == "value_out_of_range", "\(answer)") }
                }
                try await eventually("each is told") {
                    let told = lines(cluster, "session.suspicious", session)
                    // Once a minute at each node, however often it is shown.
                    return told.count == cluster.nodes.count
                        && told.allSatisfy { $0.contains("\"signal\":\"fingerprint_mismatch\"") }
                }
                for line in lines(cluster, "session.suspicious", session) {
                    // By whom, not whose it is.
                    #expect(
                        line.contains(#""ipAddress":"203.0.113.66","userAgent":"the thief's""#)
                            && line.contains("\"traceId\":\"\(Self.trace)\"") && !line.contains("the owner's"),
                        "\(line)")
                }
                let key = try cluster.redis.call(["KEYS", "*:s:\(session.id)"])
                let kept = try cluster.redis.call(["HGETALL", key])
                #expect(kept.contains(session.user) && !kept.contains("fonts"))
                // It does not end.
                try await cluster.expectActive([session])
                // Nor is a session touched that was issued without.
                let free = try await issue(cluster.nodes[1], fingerprint: nil)
                for answer in try await answers(cluster.nodes[2], free.token, "whatever") {
                    #expect(answer.status == 200, "\(answer)")
                }
                // What is known to be over is that first.
                _ = try await cluster.nodes[0].api.revoke(["sessionId": .string(session.id)], .cluster)
                for answer in try await answers(cluster.nodes[1], session.token, "another device") {
                    #expect(answer.code == "session_revoked", "\(answer)")
                }
                // A keyed hash, and nothing else.
                for node in cluster.nodes { #expect(!node.log.contains("fonts")) }
                let claims = try #require(
                    session.token.split(separator: ".").dropFirst().first.flatMap { Base64URL.decode($0) })
                #expect(!String(decoding: claims, as: UTF8.self).contains("fonts"))
                #expect(String(decoding: claims, as: UTF8.self).contains("\"fpr\":\""))
            }
        }

        @Test("goes on through refresh, rotate and a rotation of keys; another device renews nothing, by no token")
        func renewal() async throws {
            try await ClusterHarness.run { cluster in
                let session = try await issue(cluster.nodes[0], kind: "api")
                let token = try #require(session.refreshToken)
                func refresh(_ token: String, _ fingerprint: String?) async throws -> HTTPAnswer {
                    try await cluster.nodes[1].api.call(
                        "POST", "/v1/refresh", on: .public, body: ["refreshToken": .string(token)],
                        headers: fingerprint.map { [("Curfew-Fingerprint", $0)] } ?? [])
                }
                #expect(try await refresh(token, "another device").code == "device_mismatch")
                let renewed = try await refresh(token, Self.mine)
                #expect(renewed.status == 200)
                let next = try #require(TestSession(renewed.json))
                #expect(try await refresh(try #require(next.refreshToken), "another device").code == "device_mismatch")
                let rotated = try await cluster.nodes[2].api.call(
                    "POST", "/v1/sessions/\(session.id)/rotate", body: [:])
                let last = try #require(TestSession(rotated.json))
                for token in [next.token, last.token] {
                    let wrong = try await cluster.nodes[0].api.call(
                        "GET", "/v1/validate", on: .public,
                        headers: [("Authorization", "Bearer \(token)"), ("Curfew-Fingerprint", "another device")])
                    #expect(wrong.code == "device_mismatch")
                    let right = try await cluster.nodes[0].api.call(
                        "GET", "/v1/validate", on: .public,
                        headers: [("Authorization", "Bearer \(token)"), ("Curfew-Fingerprint", Self.mine)])
                    #expect(right.status == 200)
                }
                // A browser whose cookie has run out renews it through a proxy: so does nobody else.
                let web = try await issue(cluster.nodes[0])
                let byCookie = try await cluster.nodes[1].api.call(
                    "GET", "/v1/forward-auth?renew=true", on: .public,
                    headers: [("Cookie", "__Host-curfew=\(web.token)"), ("Curfew-Fingerprint", "another device")])
                #expect(byCookie.code == "device_mismatch" && byCookie.header("set-cookie") == nil)
            }
        }

        @Test("a token that has run out is no way around it, nor an answer that was kept for a repeated call")
        func aroundIt() async throws {
            try await ClusterHarness.run { cluster in
                let nodes = cluster.nodes
                let session = try await issue(nodes[0])
                let forge = try #require(TokenForge(token: session.token, secret: nodes[0].settings.secret))
                let cookie = ("Cookie", "__Host-curfew=\(forge.changing("exp", to: "1700000000"))")
                let proof = ("X-CSRF-Token", try #require(session.crossSiteToken))
                func call(_ method: String, _ path: String, _ fingerprint: String) async throws -> HTTPAnswer {
                    try await nodes[1].api.call(
                        method, path, on: .public, headers: [cookie, proof, ("Curfew-Fingerprint", fingerprint)])
                }
                for (method, path) in [("GET", "/v1/csrf"), ("POST", "/v1/refresh"), ("POST", "/v1/logout")] {
                    let answer = try await call(method, path, "another device")
                    #expect(answer.status == 403 && answer.code == "device_mismatch", "\(path) \(answer.everything)")
                    #expect(answer.header("set-cookie") == nil)
                }
                let resumed = try EventSource(
                    port: nodes[1].settings.publicPort, path: "/v1/events",
                    fields: [cookie, ("Curfew-Fingerprint", "another device"), ("Last-Event-ID", "1:2")])
                #expect(try await resumed.head().status == 403)
                try await cluster.expectActive([session])
                #expect(try await call("GET", "/v1/csrf", Self.mine).status == 200)
                #expect(try await call("POST", "/v1/logout", Self.mine).status == 200)

                let api = try await issue(nodes[0], kind: "api")
                let token = JSON.string(try #require(api.refreshToken))
                func refresh(_ fingerprint: String) async throws -> HTTPAnswer {
                    try await nodes[2].api.call(
                        "POST", "/v1/refresh", on: .public, body: ["refreshToken": token],
                        headers: [("Curfew-Fingerprint", fingerprint), ("Idempotency-Key", "once")])
                }
                let renewed = try await refresh(Self.mine)
                #expect(renewed.status == 200)
                #expect(try await refresh(Self.mine).json == renewed.json)
                #expect(try await refresh("another device").code == "device_mismatch")
                // Who says nothing is let in, and it is the same call.
                let silent = try await nodes[1].api.call(
                    "POST", "/v1/refresh", on: .public, body: ["refreshToken": token],
                    headers: [("Idempotency-Key", "once")])
                #expect(silent.json == renewed.json)
            }
        }

        @Test("required: none is as wrong as another, but nobody is told of it; off: it is no matter")
        func policies() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 1, arguments: ["--fingerprint", "required"])) {
                cluster in
                let session = try await issue(cluster.nodes[0])
                let demanding = ["GET /v1/csrf", "GET /v1/sessions"]
                for answer in try await answers(cluster.nodes[0], session.token, nil) {
                    let mayLack = demanding.contains(answer.call)
                    #expect(answer.status == (mayLack ? 200 : 403), "\(answer)")
                }
                for answer in try await answers(cluster.nodes[0], session.token, Self.mine) {
                    #expect(answer.status == 200, "\(answer)")
                }
                #expect(lines(cluster, "session.suspicious", session).isEmpty)
                let free = try await issue(cluster.nodes[0], fingerprint: nil)
                #expect(try await cluster.nodes[0].api.validate(free.token).status == 200)
            }
            try await ClusterHarness.run(ClusterOptions(nodes: 1, arguments: ["--fingerprint", "off"])) { cluster in
                let session = try await issue(cluster.nodes[0])
                for answer in try await answers(cluster.nodes[0], session.token, "another device") {
                    #expect(answer.status == 200, "\(answer)")
                }
            }
        }

        @Test(
            "on-suspicious revoke: a wrong one ends the session on every node, a burst of failed logins the user's sessions"
        )
        func revoking() async throws {
            let options = ClusterOptions(arguments: [
                "--on-suspicious", "revoke", "--authentication-failure-limit-user", "3/15m",
                "--authentication-failure-limit-address", "2/15m",
            ])
            try await ClusterHarness.run(options) { cluster in
                let session = try await issue(cluster.nodes[0])
                let headers = [("Authorization", "Bearer \(session.token)"), ("Curfew-Fingerprint", "another device")]
                let answer = try await cluster.nodes[1].api.call("GET", "/v1/validate", on: .public, headers: headers)
                #expect(answer.status == 403 && answer.code == "device_mismatch")
                for node in cluster.nodes {
                    try await eventually("the session is over") {
                        try await node.api.validate(session.token).code == "session_revoked"
                    }
                }
                try await eventually("its end has a reason") {
                    lines(cluster, "session.terminated", session).first?.contains("\"reason\":\"fingerprint_mismatch\"")
                        == true
                }
                let other = try await issue(cluster.nodes[2])
                for _ in 0..<3 {
                    let failure = try await cluster.nodes[0].api.call(
                        "POST", "/v1/authentication-failures", body: ["userId": .string(other.user)])
                    #expect(failure.status == 200)
                }
                // Who fails from an address that had too many ends nobody's sessions but those of a user who had too many.
                let bystander = try await issue(cluster.nodes[1])
                for user in [ClusterHarness.newUser(), bystander.user] {
                    let failure = try await cluster.nodes[0].api.call(
                        "POST", "/v1/authentication-failures",
                        body: ["userId": .string(user), "ipAddress": "203.0.113.7"])
                    #expect(failure.status == 200)
                }
                try await eventually("the burst is told") {
                    cluster.nodes[0].log.split(separator: "\n").contains {
                        $0.contains("authentication_burst") && $0.contains(bystander.user)
                    }
                }
                try await cluster.expectActive([bystander])
                for node in cluster.nodes {
                    try await eventually("the user's session is over") {
                        try await node.api.validate(other.token).code == "session_revoked"
                    }
                }
            }
        }
    }
}
