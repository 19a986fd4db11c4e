// The same Idempotency-Key gives the same answer, on whatever node, and does nothing twice, whoever dies meanwhile.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster(ClusterOptions(stalenessBoundMilliseconds: 3_000, arguments: ["--refresh-grace", "1s"])))
    struct Idempotency {
        private func key() -> String { "k-\(UInt64.random(in: .min ... .max))" }

        private func issue(
            _ user: String, _ key: String, on node: NodeProcess, device: String? = nil, kind: String = "web"
        ) async throws -> HTTPAnswer {
            var body: [String: JSON] = ["userId": .string(user), "kind": .string(kind)]
            body["deviceId"] = device.map(JSON.string)
            return try await node.api.call(
                "POST", "/v1/issue", body: .object(body), headers: [("Idempotency-Key", key)])
        }

        private func sessions(of user: String, on node: NodeProcess) async throws -> Int {
            try await node.api.call("GET", "/v1/users/\(user)/sessions").json["sessions"].array.count
        }

        @Test("a login repeated on other nodes is the same session, token and cookie; with another body it is 409")
        func login() async throws {
            let cluster = try await SharedCluster.ready()
            let (user, key) = (ClusterHarness.newUser(), key())
            let first = try await issue(user, key, on: cluster.nodes[0])
            #expect(first.status == 201)
            for node in cluster.nodes {
                let again = try await issue(user, key, on: node)
                #expect(again.status == 201 && again.body == first.body, "\(again.everything)")
                #expect(again.header("set-cookie") == first.header("set-cookie"))
            }
            let reordered = try await cluster.nodes[1].api.call(
                "POST", "/v1/issue", on: .admin, text: #"{ "userId": "\#(user)", "kind": "web" }"#,
                headers: [("Idempotency-Key", key)])
            #expect(reordered.status == 201 && reordered.body == first.body, "\(reordered.everything)")
            let other = try await issue(user, key, on: cluster.nodes[1], device: "phone")
            #expect(other.status == 409 && other.code == "conflict", "\(other.everything)")
            #expect(try await sessions(of: user, on: cluster.nodes[2]) == 1)
            let fresh = try await issue(user, self.key(), on: cluster.nodes[1])
            #expect(fresh.status == 201 && fresh.body != first.body)
            // Kept sealed: no token stands in Redis.
            let token = try #require(first.json["token"].string)
            let keys = try cluster.redis.call(["KEYS", "*:call:*"]).split(separator: "\n").map(String.init)
            #expect(!keys.isEmpty)
            for name in keys { #expect(try !cluster.redis.call(["GET", name]).contains(token.suffix(40))) }
        }

        @Test("of many with the same key at the same time one does it, and the others are 409 or get its answer")
        func race() async throws {
            let cluster = try await SharedCluster.ready()
            for round in 0..<10 {
                let (user, key) = (ClusterHarness.newUser(), key())
                let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                    for index in 0..<24 {
                        group.addTask {
                            try await issue(
                                user, key, on: cluster.nodes[index % 3], kind: round % 2 == 0 ? "web" : "api")
                        }
                    }
                    return try await group.reduce(into: [HTTPAnswer]()) { $0.append($1) }
                }
                let good = answers.filter { $0.status == 201 }
                #expect(!good.isEmpty && Set(good.map(\.body)).count == 1)
                #expect(answers.allSatisfy { $0.status == 201 || ($0.status == 409 && $0.code == "conflict") })
                #expect(try await sessions(of: user, on: cluster.nodes[0]) == 1)
            }
        }

        @Test("a refresh repeated past the grace is the same pair, and no theft; without the key it is")
        func refresh() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "api")
            let used = try #require(session.refreshToken)
            let key = key()
            func refresh(on node: NodeProcess) async throws -> HTTPAnswer {
                try await node.api.call(
                    "POST", "/v1/refresh", on: .public, body: ["refreshToken": .string(used)],
                    headers: [("Idempotency-Key", key)])
            }
            let first = try await refresh(on: cluster.nodes[0])
            #expect(first.status == 200)
            // Another session's grace tells when this one's is over: it began earlier.
            let other = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), kind: "api")
            let otherToken = try #require(other.refreshToken)
            #expect(try await cluster.nodes[0].api.refresh(otherToken).status == 200)
            try await eventually("the grace is over") {
                try await cluster.nodes[1].api.refresh(otherToken).status == 401
            }
            for node in cluster.nodes {
                let again = try await refresh(on: node)
                #expect(again.status == 200 && again.body == first.body, "\(again.everything)")
            }
            let theft = try await cluster.nodes[1].api.refresh(used)
            #expect(theft.code == "refresh_token_reused")
        }

        @Test("what no node has signed gets no place in Redis, and a refused refresh is not kept")
        func forged() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser(), kind: "api")
            try await revoke(["sessionId": .string(session.id)], on: node, .cluster)
            let before = try cluster.redis.call(["KEYS", "*:call:*"])
            for token in ["cfr_x", "cfr_000000000000000000000000.1.\(String(repeating: "A", count: 43))"] {
                let answer = try await node.api.call(
                    "POST", "/v1/refresh", on: .public, body: ["refreshToken": .string(token)],
                    headers: [("Idempotency-Key", key())])
                #expect(answer.status == 401, "\(answer.everything)")
            }
            let bearer = try await node.api.call(
                "POST", "/v1/refresh", on: .public,
                headers: [("Idempotency-Key", key()), ("Authorization", "Bearer \(session.token.dropLast(5))AAAAA")])
            #expect(bearer.status == 401)
            #expect(try cluster.redis.call(["KEYS", "*:call:*"]) == before)
            let key = key()
            for _ in 0..<2 {
                let answer = try await node.api.call(
                    "POST", "/v1/refresh", on: .public, body: ["refreshToken": .string(session.refreshToken ?? "")],
                    headers: [("Idempotency-Key", key)])
                #expect(answer.status == 401 && answer.code == "session_revoked", "\(answer.everything)")
            }
        }

        @Test("a revoke repeated says what the first one did")
        func revocation() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let key = key()
            func revoke(on node: NodeProcess) async throws -> HTTPAnswer {
                try await node.api.call(
                    "POST", "/v1/revoke", body: ["sessionId": .string(session.id), "wait": "cluster"],
                    headers: [("Idempotency-Key", key)])
            }
            let first = try await revoke(on: cluster.nodes[0])
            #expect(first.status == 200 && first.json["revoked"] == 1)
            for node in cluster.nodes { #expect(try await revoke(on: node).body == first.body) }
        }

        @Test("a revoke that was not complete is completed under the same key")
        func pending() async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let body: JSON = ["sessionId": .string(session.id), "wait": "cluster", "timeoutMs": 50]
            let fields = [("Idempotency-Key", key())]
            cluster.nodes[2].pause()
            defer { cluster.nodes[2].resume() }
            let first = try await cluster.nodes[0].api.call("POST", "/v1/revoke", body: body, headers: fields)
            #expect(first.status == 202 && first.json["revoked"] == 1, "\(first.everything)")
            cluster.nodes[2].resume()
            try await eventually("the revoke is complete") {
                try await cluster.nodes[1].api.call("POST", "/v1/revoke", body: body, headers: fields).status == 200
            }
            try await cluster.expectRevokedNow([session])
        }

        @Test("a key that is no key is 400, and a call that was refused is refused again")
        func refused() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            for bad in ["", "two words", "ä", String(repeating: "k", count: 256)] {
                let answer = try await issue(user, bad, on: cluster.nodes[0])
                #expect(answer.status == 400 && answer.code == "malformed_request", "\(bad): \(answer.everything)")
            }
            let twice = try await cluster.nodes[0].api.call(
                "POST", "/v1/issue", body: ["userId": .string(user)],
                headers: [("Idempotency-Key", "a"), ("Idempotency-Key", "a")])
            #expect(twice.status == 400)
            let key = key()
            let body: JSON = ["userId": .string(user), "state": "cfs_nonsense"]
            for node in cluster.nodes {
                let answer = try await node.api.call(
                    "POST", "/v1/issue", body: body, headers: [("Idempotency-Key", key)])
                #expect(answer.status == 409 && answer.code == "conflict", "\(answer.everything)")
            }
        }
    }

    @Suite(
        .cluster(
            ClusterOptions(
                stalenessBoundMilliseconds: 3_000, arguments: ["--redis-timeout", "1s", "--refresh-grace", "1s"])))
    struct IdempotencyAcrossDeath {
        @Test(
            "a node that dies between write and answer leaves nothing double: the same key completes the same login",
            arguments: ["web", "api"])
        func death(kind: String) async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let (dying, other) = (cluster.nodes[0], cluster.nodes[1])
            let body: JSON = ["userId": .string(user), "kind": .string(kind), "deviceId": "phone"]
            let headers = [("Idempotency-Key", "key of \(user)".replacing(" ", with: "-"))]
            // Its answers from Redis are late: it is killed after the write, before it knows.
            try await cluster.proxies[0].set(.delay(.milliseconds(300)))
            let first = Task { try? await dying.api.call("POST", "/v1/issue", body: body, headers: headers) }
            try await eventually("the session stands in Redis") {
                try !cluster.redis.call(["KEYS", "*:u:\(user)"]).isEmpty
            }
            dying.kill()
            #expect(await first.value?.status == nil, "it answered")
            let busy = try await other.api.call("POST", "/v1/issue", body: body, headers: headers)
            #expect(busy.status == 409 && busy.code == "conflict", "\(busy.everything)")
            var answers: [HTTPAnswer] = []
            try await eventually("the dead node's time is over") {
                let answer = try await other.api.call("POST", "/v1/issue", body: body, headers: headers)
                if answer.status == 201 { answers.append(answer) }
                return answer.status == 201
            }
            answers.append(try await cluster.nodes[2].api.call("POST", "/v1/issue", body: body, headers: headers))
            #expect(answers.count == 2 && answers[0].body == answers[1].body)
            let session = try #require(TestSession(answers[0].json))
            try await cluster.proxies[0].set(.forward)
            try dying.start()
            try await dying.ready()
            try await cluster.expectActive([session])
            let listed = try await other.api.call("GET", "/v1/users/\(user)/sessions").json["sessions"].array
            #expect(listed.map { $0["sessionId"].string } == [session.id])
            if let refreshToken = session.refreshToken {
                #expect(try await other.api.refresh(refreshToken).status == 200)
            }
        }

        @Test("a refresh that a node did not live to answer is completed past the grace, and is no theft")
        func deathOfARefresh() async throws {
            let cluster = try await SharedCluster.ready()
            let (dying, other) = (cluster.nodes[0], cluster.nodes[1])
            let session = try await other.api.issue(ClusterHarness.newUser(), kind: "api")
            let body: JSON = ["refreshToken": .string(session.refreshToken ?? "")]
            let headers = [("Idempotency-Key", "refresh-of-\(session.id)")]
            func refresh(on node: NodeProcess) async throws -> HTTPAnswer {
                try await node.api.call("POST", "/v1/refresh", on: .public, body: body, headers: headers)
            }
            let record = try #require(
                try cluster.redis.call(["KEYS", "*:s:\(session.id)"]).split(separator: "\n").first.map(String.init))
            try await cluster.proxies[0].set(.delay(.milliseconds(300)))
            let first = Task { try? await refresh(on: dying) }
            try await eventually("the pair is made") { try cluster.redis.call(["HGET", record, "n"]) == "2" }
            dying.kill()
            #expect(await first.value?.status == nil, "it answered")
            var pair: HTTPAnswer?
            try await eventually("the dead node's time is over") {
                pair = try await refresh(on: other)
                return pair?.status != 409
            }
            #expect(pair?.status == 200, "\(pair?.everything ?? "")")
            let next = try #require(pair?.json["refreshToken"].string)
            #expect(try await other.api.refresh(next).status == 200)
            try await cluster.proxies[0].set(.forward)
            try dying.start()
            try await dying.ready()
        }
    }
}
