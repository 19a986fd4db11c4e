// What speaks OAuth: introspection (RFC 7662) and revocation (RFC 7009), of both kinds of token, as their texts have them.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct OAuth {
        private static let formType = "application/x-www-form-urlencoded"

        private func form(
            _ verb: String, _ body: String, on node: NodeProcess, type: String = formType,
            headers: [(String, String)] = []
        ) async throws -> HTTPAnswer {
            try await node.api.call("POST", "/oauth2/\(verb)", text: body, headers: headers, type: type)
        }

        /// With this `Authorization`, or none.
        private func form(
            _ verb: String, _ body: String, on node: NodeProcess, authorization: String?
        ) async throws -> HTTPAnswer {
            let field = authorization.map { "Authorization: \($0)\r\n" } ?? ""
            let head =
                "POST /oauth2/\(verb) HTTP/1.1\r\nHost: curfew\r\nConnection: close\r\n\(field)"
                + "Content-Type: \(Self.formType)\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            return try await node.api.exchange(Array((head + body).utf8), on: .admin)
        }

        private func challenges(_ answer: HTTPAnswer) -> [String] {
            answer.headers.filter { $0.name.lowercased() == "www-authenticate" }.map(\.value)
        }

        private func isActive(_ token: String, on node: NodeProcess) async throws -> Bool? {
            let answer = try await node.api.introspect(token)
            #expect(answer.status == 200, "\(answer.everything)")
            return answer.json["active"].bool
        }

        @Test("says what there is, below the host that was asked, or below an issuer that is a URL")
        func metadata() async throws {
            let cluster = try await SharedCluster.ready()
            func metadata(_ node: NodeProcess, on listener: Listener) async throws -> HTTPAnswer {
                let answer = try await node.api.call("GET", "/.well-known/oauth-authorization-server", on: listener)
                #expect(answer.status == 200 && answer.header("content-type") == "application/json")
                #expect(answer.json["response_types_supported"].array == ["none"])
                #expect(answer.json["grant_types_supported"] == .null)
                #expect(answer.json["authorization_endpoint"] == .null && answer.json["token_endpoint"] == .null)
                return answer
            }
            let node = cluster.nodes[0]
            let admin = try await metadata(node, on: .admin)
            #expect(admin.json["issuer"] == "curfew" && admin.header("cache-control") == "no-store")
            for (member, path) in [("introspection_endpoint", "introspect"), ("revocation_endpoint", "revoke")] {
                let url = try #require(admin.json[member].string)
                #expect(url.hasPrefix("http://") && url.hasSuffix("/oauth2/\(path)"), "\(url)")
            }
            for listener in [Listener.public, .admin] {
                let keys = try #require(try await metadata(node, on: listener).json["jwks_uri"].string)
                #expect(keys.hasSuffix("/.well-known/jwks.json"))
                #expect(try await node.api.call("GET", "/.well-known/jwks.json", on: listener).status == 200)
            }
            #expect(try await metadata(node, on: .public).json["introspection_endpoint"] == .null)

            let options = ClusterOptions(nodes: 1, arguments: ["--issuer", "https://auth.example.com/"])
            try await ClusterHarness.run(options) { cluster in
                for listener in [Listener.public, .admin] {
                    let answer = try await metadata(cluster.nodes[0], on: listener)
                    #expect(answer.header("cache-control") == "public, max-age=300")
                    #expect(answer.json["issuer"] == "https://auth.example.com/")
                    #expect(answer.json["introspection_endpoint"] == "https://auth.example.com/oauth2/introspect")
                    #expect(answer.json["jwks_uri"] == "https://auth.example.com/.well-known/jwks.json")
                    #expect(
                        answer.json["introspection_endpoint_auth_methods_supported"].array.compactMap(\.string)
                            == ["client_secret_basic", "Bearer"])
                }
            }
        }

        @Test("introspection says what a token says, on every node")
        func introspects() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let session = try await cluster.nodes[0].api.issue(user, permissions: ["docs:read", "docs:write"])
            let validated = try await cluster.nodes[0].api.validate(session.token).json
            for node in cluster.nodes {
                let answer = try await form(
                    "introspect", "token=\(session.token)&token_type_hint=access_token&resource=unknown", on: node)
                #expect(answer.status == 200, "\(answer.everything)")
                #expect(answer.header("content-type") == "application/json")
                #expect(answer.header("cache-control") == "no-store")
                let json = answer.json
                #expect(json["active"] == true && json["sub"] == .string(user))
                #expect(json["sid"] == .string(session.id) && json["scope"] == "docs:read docs:write")
                #expect(json["token_type"] == "Bearer" && json["iss"] == "curfew" && json["aud"] == "curfew")
                for (name, time) in [("iat", "issuedAt"), ("exp", "expiresAt")] {
                    guard case .number(let seconds) = json[name] else { throw UnexpectedAnswer("introspect", answer) }
                    let text = ISO8601DateFormatter().string(from: Date(timeIntervalSince1970: seconds))
                    #expect(validated[time] == .string(text))
                }
            }
        }

        @Test("what is not active is told so and nothing else: no reason, no user")
        func inactive() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[1], .cluster)
            let forged = TokenForge.flippingSignature(of: session.token)
            for token in [session.token, forged, "x", "cfr_x", "cfr_\(session.id.dropFirst(4)).1.\(forged.suffix(43))"]
            {
                let answer = try await form("introspect", "token=\(token)", on: cluster.nodes[2])
                #expect(answer.status == 200 && answer.body == Array(#"{"active":false}"#.utf8), "\(answer.everything)")
            }
        }

        @Test("a refresh token is active while it is the one that is good, and its session lives")
        func refreshTokens() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "api")
            let first = try #require(session.refreshToken)
            let answer = try await form(
                "introspect", "token=\(first)&token_type_hint=refresh_token", on: cluster.nodes[1])
            #expect(answer.json["active"] == true && answer.json["sid"] == .string(session.id), "\(answer.everything)")
            #expect(answer.json["token_type"] == .null)
            let renewed = try await cluster.nodes[1].api.refresh(first)
            let second = try #require(renewed.json["refreshToken"].string)
            for node in cluster.nodes {
                #expect(try await isActive(first, on: node) == false)
                #expect(try await isActive(second, on: node) == true)
            }
            try await revoke(["userId": .string(session.user)], on: cluster.nodes[2], .cluster)
            for node in cluster.nodes { #expect(try await isActive(second, on: node) == false) }
        }

        @Test("revocation of either token ends the session on every node before it answers, for the other token too")
        func revokes() async throws {
            let cluster = try await SharedCluster.ready()
            for round in 0..<20 {
                let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "api")
                let refreshToken = try #require(session.refreshToken)
                let token = round % 2 == 0 ? session.token : refreshToken
                let answer = try await form("revoke", "token=\(token)", on: cluster.nodes[round % 3])
                #expect(answer.status == 200 && answer.body.isEmpty, "\(answer.everything)")
                #expect(answer.header("content-type") == nil)
                try await cluster.expectRevokedNow([session])
                let renewed = try await cluster.nodes[(round + 1) % 3].api.refresh(refreshToken)
                #expect(renewed.status == 401 && renewed.code == "session_revoked", "\(renewed.everything)")
                #expect(try await form("revoke", "token=\(token)", on: cluster.nodes[0]).status == 200)
            }
        }

        @Test("revocation waits for a node that stands still, until that can't be fresh any more")
        func waits() async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let sleeper = cluster.nodes[2]
            sleeper.pause()
            defer { sleeper.resume() }
            let asked = BootClock.now
            let answer = try await form("revoke", "token=\(session.token)", on: cluster.nodes[0])
            #expect(answer.status == 200, "\(answer.everything)")
            #expect(BootClock.now - asked >= cluster.fenceBound, "it did not wait")
            sleeper.resume()
            #expect(try await sleeper.api.validate(session.token).status != 200)
            try await cluster.expectRevoked([session])
        }

        @Test("a token that no node has signed is no error of revocation, and ends nothing")
        func unknown() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "api")
            let refreshToken = try #require(session.refreshToken)
            for token in [
                "x", TokenForge.flippingSignature(of: session.token), TokenForge.flippingSignature(of: refreshToken),
                session.id,
            ] {
                let answer = try await form("revoke", "token=\(token)", on: cluster.nodes[0])
                #expect(answer.status == 200 && answer.body.isEmpty, "\(answer.everything)")
            }
            try await cluster.expectActive([session])
        }

        @Test(
            "the API key is a bearer token or HTTP Basic's password, there only; who has none is told how, in OAuth's words"
        )
        func credentials() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let key = node.api.apiKey
            func basic(_ text: String) -> String { "Basic \(Data(text.utf8).base64EncodedString())" }
            let escaped = key.utf8.map { String(format: "%%%02x", $0) }.joined()
            for good in ["Bearer \(key)", basic("gateway:\(key)"), basic(":\(key)"), basic("a%3Ab:\(escaped)")] {
                let answer = try await form("introspect", "token=\(session.token)", on: node, authorization: good)
                #expect(answer.status == 200 && answer.json["active"] == true, "\(answer.everything)")
            }
            for bad in [
                basic("gateway:\(key)x"), basic(key), basic("gateway:"), "Basic \(key)", "Basic", "Bearer x", nil,
            ] {
                for verb in ["introspect", "revoke"] {
                    let answer = try await form(verb, "token=\(session.token)", on: node, authorization: bad)
                    #expect(
                        answer.status == 401 && answer.code == "api_key_invalid", "\(bad ?? ""): \(answer.everything)")
                    #expect(answer.json["error"] == "invalid_client" && answer.json["error_description"].string != nil)
                    #expect(challenges(answer).contains { $0.hasPrefix("Basic realm=") })
                    #expect(challenges(answer).contains { $0.hasPrefix("Bearer") })
                }
            }
            let elsewhere = try await node.api.exchange(
                Array(
                    ("GET /v1/cluster HTTP/1.1\r\nHost: curfew\r\nConnection: close\r\n"
                        + "Authorization: \(basic("gateway:\(key)"))\r\n\r\n").utf8), on: .admin)
            #expect(elsewhere.status == 401 && elsewhere.json["error"] == .null)
            #expect(!challenges(elsewhere).contains { $0.hasPrefix("Basic") })
        }

        @Test("bad input has its documented answer", arguments: ["introspect", "revoke"])
        func badInput(verb: String) async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let rows: [(body: String, type: String, status: Int, code: String)] = [
                ("", Self.formType, 400, "malformed_request"), ("token=", Self.formType, 400, "malformed_request"),
                ("token", Self.formType, 400, "malformed_request"),
                ("tokens=x", Self.formType, 400, "malformed_request"),
                ("token=x&token=y", Self.formType, 400, "malformed_request"),
                ("token=x&a=1&a=2", Self.formType, 400, "malformed_request"),
                ("token=%zz", Self.formType, 400, "malformed_request"),
                ("token=%ff", Self.formType, 400, "malformed_request"),
                ("token=\(session.token)", "application/json", 415, "unsupported_media_type"),
                (#"{"token":"x"}"#, "text/plain", 415, "unsupported_media_type"),
            ]
            for row in rows {
                let answer = try await form(verb, row.body, on: node, type: row.type)
                #expect(answer.status == row.status && answer.code == row.code, "\(row.body): \(answer.everything)")
                #expect(answer.json["error"] == "invalid_request", "\(answer.everything)")
                #expect(answer.json["error_description"] == answer.json["detail"])
            }
            let long = try await form(verb, "token=" + String(repeating: "a", count: 70_000), on: node)
            #expect(long.status == 413 && long.code == "body_too_large")
            let doubled = try await form(verb, "token=x&token=", on: node)
            #expect(doubled.status == 200, "\(doubled.everything)")
            let typed = try await form(
                verb, "token=x", on: node, type: "Application/X-WWW-Form-Urlencoded; charset=UTF-8")
            #expect(typed.status == 200, "\(typed.everything)")
            let get = try await node.api.call("GET", "/oauth2/\(verb)?token=\(session.token)")
            #expect(get.status == 405 && get.header("allow") == "POST")
            let inQuery = try await node.api.call("POST", "/oauth2/\(verb)?token=\(session.token)")
            #expect(inQuery.status == 400 && inQuery.code == "unknown_field")
            let publicly = try await node.api.call(
                "POST", "/oauth2/\(verb)", on: .public, text: "token=x", type: Self.formType)
            #expect(publicly.status == 404)
            try await cluster.expectActive([session])
        }

        @Test("introspection takes a fence and a strict read like validate")
        func options() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let strict = try await form(
                "introspect", "token=\(session.token)", on: cluster.nodes[1],
                headers: [("Curfew-Consistency", "strict")])
            #expect(strict.json["active"] == true, "\(strict.everything)")
            let bad = try await form(
                "introspect", "token=\(session.token)", on: cluster.nodes[1], headers: [("Curfew-At-Least", "x")])
            #expect(bad.status == 400 && bad.code == "malformed_request")
            let fence = try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[0])["fence"].string
            let after = try await form(
                "introspect", "token=\(session.token)", on: cluster.nodes[2],
                headers: [("Curfew-At-Least", try #require(fence))])
            #expect(after.status == 200 && after.json["active"] == false, "\(after.everything)")
        }
    }
    @Suite(.cluster(ClusterOptions(nodes: 1))) struct OAuthKeys {
        @Test(
            "a key of any letters is taken as it is, and escaped",
            arguments: ["a+b/c%41=&d:e", "a%2Bb%2fc%2541%3D%26d%3Ae"])
        func letters(password: String) async throws {
            let node = try await SharedCluster.ready().makeNode("letters") { $0.apiKey = "a+b/c%41=&d:e" }
            try node.start()
            try await node.ready()
            let credential = Data("gateway:\(password)".utf8).base64EncodedString()
            let head =
                "POST /oauth2/introspect HTTP/1.1\r\nHost: curfew\r\nConnection: close\r\n"
                + "Authorization: Basic \(credential)\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                + "Content-Length: 7\r\n\r\ntoken=x"
            let answer = try await node.api.exchange(Array(head.utf8), on: .admin)
            #expect(answer.status == 200 && answer.json["active"] == false, "\(answer.everything)")
            node.kill()
        }
    }
}
