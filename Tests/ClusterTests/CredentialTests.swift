// Every public call that a session makes refuses a credential that is no good in the same words, whatever else the call may do.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct Credentials {
        private struct PublicCall: Sendable, CustomTestStringConvertible {
            let method: String
            let path: String
            var testDescription: String { "\(method) \(path)" }
        }

        private static let calls = [
            PublicCall(method: "GET", path: "/v1/validate"), PublicCall(method: "POST", path: "/v1/validate"),
            PublicCall(method: "GET", path: "/v1/forward-auth"),
            PublicCall(method: "PUT", path: "/v1/forward-auth/a/b?c=d"),
            PublicCall(method: "GET", path: "/v1/csrf"), PublicCall(method: "GET", path: "/v1/events"),
            PublicCall(method: "GET", path: "/v1/sessions"), PublicCall(method: "POST", path: "/v1/logout"),
            PublicCall(method: "DELETE", path: "/v1/sessions/ses_000000000000000000000000"),
            PublicCall(method: "POST", path: "/v1/refresh"),
        ]

        @Test("what is no good is 401 with its code, by header and by cookie, on every public call", arguments: calls)
        private func refused(call: PublicCall) async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[1]
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let (revoked, replaced) = (
                try await cluster.nodes[0].api.issue(ClusterHarness.newUser()),
                try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            )
            try await revoke(["sessionId": .string(revoked.id)], on: cluster.nodes[2], .cluster)
            _ = try await cluster.nodes[0].api.call(
                "POST", "/v1/sessions/\(replaced.id)/rotate", body: ["grace": "0s"])
            try await eventually("the node knows that the id was replaced") {
                try await node.api.validate(replaced.token).status == 401
            }
            let forge = try #require(TokenForge(token: session.token, secret: node.settings.secret))
            let over = forge.changing("exp", to: "1700000000")
            let rows: [(name: String, token: String, code: String)] = [
                ("no token", "x", "token_malformed"),
                ("forged", TokenForge.flippingSignature(of: session.token), "token_signature_invalid"),
                ("revoked", revoked.token, "session_revoked"), ("replaced", replaced.token, "session_superseded"),
            ]
            // A session whose token ran out is renewed.
            for row in rows + (call.path == "/v1/refresh" ? [] : [("over", over, "token_expired")]) {
                // A good CSRF token for what needs one: it is the credential that is refused.
                for field in [("Authorization", "Bearer \(row.token)"), ("Cookie", "__Host-curfew=\(row.token)")] {
                    var fields = [field]
                    if field.0 == "Cookie", row.name != "forged", row.name != "no token" {
                        let owner = [revoked, replaced].first { $0.token == row.token } ?? session
                        fields.append(("X-CSRF-Token", owner.crossSiteToken ?? ""))
                    }
                    // A cookie that ran out is still renewed, with the CSRF token, and ended.
                    if row.name == "over", ["/v1/csrf", "/v1/logout"].contains(call.path), field.0 == "Cookie" {
                        continue
                    }
                    let answer = try await node.api.call(call.method, call.path, on: .public, headers: fields)
                    #expect(answer.status == 401 && answer.code == row.code, "\(row.name): \(answer.everything)")
                    #expect(answer.header("www-authenticate")?.contains("invalid_token") == true, "\(row.name)")
                    #expect(!answer.everything.contains(row.token) || row.token == "x", "\(row.name)")
                }
            }
            let none = try await node.api.call(call.method, call.path, on: .public)
            #expect(none.status == 401 && none.code == "token_missing", "\(none.everything)")
            #expect(none.header("www-authenticate")?.contains("error=") == false)
            try await cluster.expectActive([session])
        }
    }
}
