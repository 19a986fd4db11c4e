// Whatever is sent, the answer is the documented one, the node goes on serving, and nothing secret comes back or is logged.
// The nodes log at `trace` here, and the last test looks through all of it.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster(ClusterOptions(logLevel: "trace"))) struct BadInput {
        @Test("a malformed request gets its documented status and code, on both listeners")
        func requests() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let key = node.settings.apiKey
            for (listener, credential) in [(Listener.public, session.token), (.admin, key)] {
                let good = try await node.api.exchange(
                    GoodRequest(listener, credential: credential).bytes, on: listener)
                #expect(good.status == 200, "the request without a fault")
            }
            let table =
                BadHTTP.all(.public, credential: session.token) + BadHTTP.all(.admin, credential: key)
                + BadBodies.all(key: key)
            #expect(table.count > 100)
            for request in table {
                do {
                    let answer = try await node.api.exchange(request.bytes, on: request.listener)
                    expectProblem(answer, request.status, request.codes, request.description)
                    expectNothingSecret(in: answer, [session.token, key, node.settings.secret], request.description)
                } catch {
                    Issue.record("\(request.description): no answer (\(error))")
                }
            }
            try await cluster.expectActive([session])
            #expect(node.exit == nil)
        }

        @Test("what ends or changes sessions says which of its options is wrong, and ends nothing")
        func changes() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let own = [("Authorization", "Bearer \(session.token)")]
            let calls: [(listener: Listener, path: String)] = [
                (.admin, "/v1/sessions/\(session.id)"), (.public, "/v1/sessions/\(session.id)"),
                (.admin, "/v1/users/\(session.user)/sessions"),
            ]
            let wrong: [(query: String, code: String)] = [
                ("wait=maybe", "value_out_of_range"), ("wait=", "value_out_of_range"),
                ("timeoutMs=0", "value_out_of_range"), ("timeoutMs=60001", "value_out_of_range"),
                ("timeoutMs=1.5", "value_out_of_range"), ("timeoutMs=soon", "value_out_of_range"),
                ("durability=two", "value_out_of_range"),
                ("reason=\(String(repeating: "x", count: 65))", "value_out_of_range"),
                ("wait=cluster&wait=none", "unknown_field"), ("until=now", "unknown_field"),
            ]
            for call in calls {
                for (query, code) in wrong {
                    let answer = try await node.api.call(
                        "DELETE", "\(call.path)?\(query)", on: call.listener,
                        headers: call.listener == .public ? own : [])
                    expectProblem(answer, 400, [code], "\(call.path)?\(query) on \(call.listener)")
                }
            }
            for (query, code) in [("except=ses_1", "value_out_of_range"), ("except=", "value_out_of_range")] {
                let answer = try await node.api.call("DELETE", "/v1/users/\(session.user)/sessions?\(query)")
                expectProblem(answer, 400, [code], query)
            }
            let permissions: [(body: String, code: String)] = [
                (#"{"permissions":"all"}"#, "malformed_request"), (#"{"permissions":[1]}"#, "malformed_request"),
                (#"{}"#, "malformed_request"), (#"{"permissions":["a b"]}"#, "value_out_of_range"),
                (#"{"permissions":[],"force":true}"#, "unknown_field"),
                (#"{"permissions":[],"wait":"maybe"}"#, "value_out_of_range"),
                (#"{"permissions":[],"timeoutMs":0}"#, "value_out_of_range"),
            ]
            for (body, code) in permissions {
                let answer = try await node.api.call(
                    "PUT", "/v1/users/\(session.user)/permissions", on: .admin, text: body)
                expectProblem(answer, 400, [code], body)
            }
            #expect(try await node.api.validate(session.token).status == 200)
        }

        @Test("what leaves no room for doubt about its end closes the connection", arguments: Listener.allCases)
        func closes(listener: Listener) async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[1]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let good = GoodRequest(listener, credential: listener == .public ? session.token : node.settings.apiKey)
            for request in BadHTTP.framing(good) + BadHTTP.lines(good) {
                let port = node.api.port(of: listener)
                let outcome = await onThread {
                    let connection = try RawConnection(port: port)
                    // A second request behind the first: smuggled, were it answered.
                    connection.send(request.bytes + good.bytes)
                    _ = try connection.answer()
                    let second = try? connection.answer(withinMilliseconds: 500)
                    return (second, connection.isClosed())
                }
                guard let (second, isClosed) = try? outcome.get() else {
                    Issue.record("\(request.description): no answer")
                    continue
                }
                #expect(second == nil, "\(request.description): what came behind was answered \(second?.status ?? 0)")
                #expect(isClosed, "\(request.description)")
            }
        }

        @Test("a malformed token is refused with 401, by header, by cookie and in a body")
        func tokens() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(
                ClusterHarness.newUser(), device: "phone", permissions: ["docs:read"])
            let forge = try #require(TokenForge(token: session.token, secret: node.settings.secret))
            for control in [forge.sign(), forge.addingClaim(#""x":{"y":[1,2.5e3,null,true]}"#)] {
                #expect(try await node.api.validate(control).status == 200, "a correctly forged token without a fault")
            }
            let table = BadTokens.all(forge, real: session.token)
            #expect(table.count > 60)
            for bad in table {
                let byHeader = try await node.api.validate(bad.token)
                expectProblem(byHeader, 401, bad.codes, bad.name)
                #expect(byHeader.json["active"] == false, "\(bad.name)")
                #expect(byHeader.header("www-authenticate")?.contains("invalid_token") == true, "\(bad.name)")
                expectNothingSecret(in: byHeader, [bad.token, session.token], bad.name)
                let cookie = [("Cookie", "__Host-curfew=\(bad.token)")]
                let byCookie = try await node.api.call("GET", "/v1/validate", on: .public, headers: cookie)
                #expect(byCookie.status == 401, "\(bad.name) as a cookie")
                let inBody = try await node.api.call("POST", "/v1/validate", body: ["token": .string(bad.token)])
                #expect(inBody.status == 200, "\(bad.name) in a body")
                #expect(inBody.json["active"] == false, "\(bad.name) in a body")
                #expect(inBody.code == byHeader.code, "\(bad.name) in a body")
            }
            let batch = try await node.api.call(
                "POST", "/v1/validate/batch",
                body: ["tokens": .array(table.map { .string($0.token) } + [.string(session.token)])])
            #expect(batch.status == 200)
            let results = batch.json["results"].array
            #expect(results.map { $0["active"].bool } == table.map { _ in false } + [true])
            try await cluster.expectActive([session])
        }

        @Test("without a token it is 401 token_missing, and a good cookie is as good as a bearer token")
        func missing() async throws {
            let cluster = try await SharedCluster.ready()
            let api = cluster.nodes[0].api
            let session = try await api.issue(ClusterHarness.newUser())
            for fields in [[], [("Authorization", "Basic YTpi")], [("Cookie", "theme=dark")]] {
                let answer = try await api.call("GET", "/v1/validate", on: .public, headers: fields)
                expectProblem(answer, 401, ["token_missing"], "\(fields)")
                #expect(answer.header("www-authenticate")?.hasPrefix("Bearer") == true)
                #expect(answer.header("www-authenticate")?.contains("error=") == false)
            }
            for method in ["GET", "POST"] {
                let cookie = [
                    ("Cookie", "theme=dark; __Host-curfew=\(session.token)"), ("Authorization", "Basic YTpi"),
                ]
                let answer = try await api.call(method, "/v1/validate", on: .public, headers: cookie)
                #expect(answer.status == 200)
                #expect(answer.json["sessionId"].string == session.id)
            }
        }

        @Test(
            "revoking an id that nobody can have is 200 with nothing revoked",
            arguments: ["ses_1", "ses_zzzzzzzzzzzzzzzzzzzzzzzz"])
        func revokeNobody(id: String) async throws {
            let cluster = try await SharedCluster.ready()
            let answer = try await revoke(["sessionId": .string(id)], on: cluster.nodes[0], .cluster)
            #expect(answer["revoked"] == 0)
        }

        @Test("a request in pieces and requests in a row are answered like one at a time")
        func piecesAndRows() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[2]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let good = GoodRequest(.public, credential: session.token).bytes
            let forged = GoodRequest(.public, credential: TokenForge.flippingSignature(of: session.token)).bytes
            let port = node.api.publicPort
            let statuses = try await onThread {
                let connection = try RawConnection(port: port)
                for byte in good { connection.send([byte]) }
                connection.send(good + forged + good)
                return try (0..<4).map { _ in try connection.answer().status }
            }.get()
            #expect(statuses == [200, 200, 401, 200])
        }

        @Test("no line that a node logs, even at trace, holds a token, the secret or the API key")
        func logs() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), permissions: ["docs:read"])
            for node in cluster.nodes {
                _ = try await node.api.validate(session.token)
                _ = try await node.api.validate(session.token, strict: true)
                _ = try await node.api.call("POST", "/v1/validate", body: ["token": .string(session.token)])
                _ = try await node.api.validate(session.token + "x")
            }
            try await revoke(["token": .string(session.token)], on: cluster.nodes[0], .cluster)
            let parts = session.token.split(separator: ".").map(String.init)
            for node in cluster.nodes {
                let log = node.log
                #expect(!log.isEmpty)
                for secret in [node.settings.secret, node.settings.apiKey, session.token, parts[1], parts[2]] {
                    #expect(!log.contains(secret), "\(node.name)")
                }
                // Any compact JWT: its header always starts like this.
                #expect(!log.contains("eyJ"), "\(node.name)")
            }
        }

        private func expectProblem(_ answer: HTTPAnswer, _ status: Int, _ codes: Set<String>, _ name: String) {
            #expect(answer.status == status, "\(name): \(answer.everything)")
            #expect(codes.contains(answer.code ?? ""), "\(name): \(answer.code ?? "no code"), not \(codes.sorted())")
            #expect(answer.header("content-type")?.hasPrefix("application/problem+json") == true, "\(name)")
            #expect(answer.json["status"].int == answer.status, "\(name)")
            for member in ["type", "title", "detail"] {
                #expect(answer.json[member].string != nil, "\(name): \(member)")
            }
            #expect(answer.header("x-content-type-options") == "nosniff", "\(name)")
            #expect(answer.header("cache-control") == "no-store", "\(name)")
        }

        private func expectNothingSecret(in answer: HTTPAnswer, _ secrets: [String], _ name: String) {
            let everything = answer.everything
            for secret in secrets where secret.utf8.count > 8 {
                #expect(!everything.contains(secret), "\(name): the answer gives back a secret")
            }
        }
    }
}

/// Runs what blocks off the threads that tests share.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async -> Result<Value, any Error> {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: Result { try body() }) }
    }
}
