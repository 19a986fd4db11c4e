// Pages of other origins: what their browsers say of them, and what they may read.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct PagesOfOtherOrigins {
        @Test(
            "a call that changes something by the cookie is 403 where the browser says that another origin's page made it"
        )
        func elsewhere() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let good = [
                ("Cookie", "__Host-curfew=\(session.token)"), ("X-CSRF-Token", try #require(session.crossSiteToken)),
            ]
            let bad: [[(String, String)]] = [
                [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")], [("Sec-Fetch-Site", "x")],
                [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://curfew")], [("Origin", "https://evil.example")],
                [("Origin", "null")], [("Origin", "http://curfew:81")], [("Origin", "http://curfew.evil.example")],
                [("Origin", "http://curfew"), ("Origin", "http://curfew")], [("Origin", "curfew")],
                [("Origin", "http://curfew"), ("X-Forwarded-Host", "app.example")],
            ]
            let calls = [
                ("POST", "/v1/refresh"), ("POST", "/v1/logout"), ("DELETE", "/v1/sessions/\(session.id)"),
                ("POST", "/v1/forward-auth?csrf=true"),
            ]
            for (method, path) in calls {
                for fields in bad {
                    // A proxy that asks in its own name may not say which host was visited.
                    let isProxied = fields.contains { $0.0.hasPrefix("Sec-") || $0.0.hasPrefix("X-") }
                    if path.hasPrefix("/v1/forward-auth"), !isProxied, fields.count == 1 { continue }
                    let answer = try await node.api.call(method, path, on: .public, headers: good + fields)
                    #expect(
                        answer.status == 403 && answer.code == "csrf_failed", "\(path) \(fields): \(answer.everything)")
                }
            }
            try await cluster.expectActive([session])
            for fields: [(String, String)] in [
                [], [("Sec-Fetch-Site", "same-origin")], [("Sec-Fetch-Site", "none")], [("Origin", "http://curfew")],
                [("Origin", "https://CURFEW")], [("Sec-Fetch-Site", "same-origin"), ("Origin", "https://app.example")],
                [("Origin", "https://app.example"), ("X-Forwarded-Host", "app.example")],
                [("Origin", "https://app.example:8443"), ("X-Forwarded-Host", "app.example:8443, inner")],
                [("Origin", "https://app.example"), ("X-Forwarded-Host", "app.example:443")],
                [("Origin", "http://app.example"), ("X-Forwarded-Host", "app.example:80")],
            ] {
                let asked = try await node.api.call(
                    "GET", "/v1/forward-auth?csrf=true", on: .public, headers: good + fields)
                #expect(asked.status == 200, "\(fields): \(asked.everything)")
                let answer = try await node.api.call("POST", "/v1/refresh", on: .public, headers: good + fields)
                #expect(answer.status == 200, "\(fields): \(answer.everything)")
            }
            // A bearer token is sent by nobody's browser on its own.
            let bearer = try await node.api.call(
                "POST", "/v1/refresh", on: .public,
                headers: [("Authorization", "Bearer \(session.token)"), ("Sec-Fetch-Site", "cross-site")])
            #expect(bearer.status == 200, "\(bearer.everything)")
        }

        @Test("no page of another origin may read an answer, nor is told that it may call")
        func off() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let fields = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")]
            let preflight = try await node.api.call("OPTIONS", "/v1/logout", on: .public, headers: fields)
            #expect(preflight.status == 405)
            let validated = try await node.api.call(
                "GET", "/v1/validate", on: .public, headers: fields + [("Authorization", "Bearer \(session.token)")])
            #expect(validated.status == 200)
            for answer in [preflight, validated] {
                #expect(!answer.everything.lowercased().contains("access-control-"), "\(answer.everything)")
            }
        }
    }

    @Suite(.cluster(ClusterOptions(arguments: ["--cors-origins", "https://app.example,http://localhost:3000"])))
    struct AllowedPages {
        private func fields(_ origin: String) -> [(String, String)] { [("Origin", origin)] }

        @Test(
            "a page of an allowed origin may call with the cookie and read every answer",
            arguments: ["https://app.example", "http://localhost:3000"])
        func allowed(origin: String) async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[1]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let cookie = [("Cookie", "__Host-curfew=\(session.token)"), ("Sec-Fetch-Site", "cross-site")]
            let crossSite = [("X-CSRF-Token", try #require(session.crossSiteToken))]
            let rows: [(method: String, path: String, fields: [(String, String)], status: Int)] = [
                ("GET", "/v1/validate", cookie, 200), ("GET", "/v1/validate", [], 401),
                ("GET", "/v1/csrf", cookie, 200),
                ("GET", "/v1/sessions", cookie, 200), ("GET", "/v1/nothing", [], 404),
                ("GET", "/health/ready", [], 200),
                ("POST", "/v1/refresh", cookie, 403), ("POST", "/v1/refresh", cookie + crossSite, 200),
                ("POST", "/v1/logout", cookie + crossSite, 200), ("GET", "/v1/validate", cookie, 401),
            ]
            for row in rows {
                let answer = try await node.api.call(
                    row.method, row.path, on: .public, headers: row.fields + fields(origin))
                #expect(answer.status == row.status, "\(row.path): \(answer.everything)")
                #expect(answer.header("access-control-allow-origin") == origin, "\(row.path): \(answer.everything)")
                #expect(
                    answer.header("access-control-allow-credentials") == "true" && answer.header("vary") == "Origin")
            }
        }

        @Test(
            "a browser that asks first is told what may be called",
            arguments: ["/v1/logout", "/v1/sessions/ses_1", "/v1/validate"])
        func preflight(path: String) async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let answer = try await node.api.call(
                "OPTIONS", path, on: .public,
                headers: fields("https://app.example") + [
                    ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "x-csrf-token"),
                ])
            #expect(answer.status == 200 && answer.body.isEmpty, "\(answer.everything)")
            let methods = ["/v1/logout": "POST", "/v1/sessions/ses_1": "DELETE", "/v1/validate": "GET, HEAD, POST"][
                path]
            #expect(answer.header("access-control-allow-methods") == methods)
            #expect(answer.header("access-control-allow-headers")?.contains("X-CSRF-Token") == true)
            #expect(answer.header("access-control-allow-origin") == "https://app.example")
        }

        @Test(
            "nobody else is let in, and the admin listener lets nobody in",
            arguments: [
                "https://evil.example", "http://app.example", "https://app.example:444", "https://APP.example", "null",
                "*",
                "https://app.example.evil.example", "https://app.example/", "",
            ])
        func others(origin: String) async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[2]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let cookie = [
                ("Cookie", "__Host-curfew=\(session.token)"), ("X-CSRF-Token", try #require(session.crossSiteToken)),
            ]
            let asked = [("Access-Control-Request-Method", "POST")]
            let answers = [
                (try await node.api.call("POST", "/v1/logout", on: .public, headers: cookie + fields(origin)), 403),
                (try await node.api.call("OPTIONS", "/v1/logout", on: .public, headers: asked + fields(origin)), 405),
                (try await node.api.call("GET", "/v1/validate", on: .public, headers: cookie + fields(origin)), 200),
                (try await node.api.call("OPTIONS", "/v1/revoke", headers: asked + fields("https://app.example")), 405),
                (try await node.api.call("GET", "/v1/cluster", headers: fields("https://app.example")), 200),
            ]
            for (answer, status) in answers {
                #expect(answer.status == status, "\(answer.everything)")
                #expect(!answer.everything.lowercased().contains("access-control-"), "\(answer.everything)")
            }
            try await cluster.expectActive([session])
        }

        @Test("the stream of events can be read, too")
        func stream() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let connection = try RawConnection(port: node.settings.publicPort)
            connection.send(
                Array(
                    ("GET /v1/events HTTP/1.1\r\nHost: curfew\r\nOrigin: https://app.example\r\n"
                        + "Cookie: __Host-curfew=\(session.token)\r\n\r\n").utf8))
            var head: [String] = []
            while head.last != "\r" { head.append(try connection.line()) }
            #expect(head.first?.contains("200") == true, "\(head)")
            let allows = "access-control-allow-origin: https://app.example\r"
            #expect(head.contains { $0.lowercased() == allows }, "\(head)")
        }
    }
}
