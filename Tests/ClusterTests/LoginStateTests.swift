// Login states: consumed exactly once, on whatever node, and no way around a logout that came meanwhile.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct LoginStates {
        private func make(
            _ node: NodeProcess, _ body: JSON? = nil
        ) async throws -> String {
            let answer = try await node.api.call("POST", "/v1/states", body: body)
            #expect(answer.status == 201, "\(answer.everything)")
            return try #require(answer.json["state"].string)
        }

        private func consume(_ state: String, _ node: NodeProcess) async throws -> HTTPAnswer {
            try await node.api.call("POST", "/v1/states/consume", body: ["state": .string(state)])
        }

        @Test("is consumed exactly once by 64 callers on three nodes, with its data; then it is 404")
        func once() async throws {
            let cluster = try await SharedCluster.ready()
            for round in 0..<20 {
                let data: JSON = ["next": "/inbox", "nonce": .string("n\(round)")]
                let state = try await make(cluster.nodes[round % 3], ["ttl": "1m", "data": data])
                let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                    for index in 0..<64 { group.addTask { try await consume(state, cluster.nodes[index % 3]) } }
                    return try await group.reduce(into: [HTTPAnswer]()) { $0.append($1) }
                }
                let good = answers.filter { $0.status == 200 }
                #expect(good.count == 1 && good[0].json["data"] == data)
                #expect(answers.filter { $0.status == 404 && $0.code == "not_found" }.count == 63)
            }
        }

        @Test("Redis has no state in clear, and lets it go when its time is over")
        func stored() async throws {
            let cluster = try await SharedCluster.ready()
            let state = try await make(cluster.nodes[0], ["ttl": "1s", "data": ["a": 1]])
            let keys = try cluster.redis.call(["KEYS", "*state*"])
            #expect(keys.contains(":state:") && !keys.contains(state))
            try await eventually("its time is over") { try cluster.redis.call(["KEYS", "*state*"]).isEmpty }
            #expect(try await consume(state, cluster.nodes[0]).status == 404)
        }

        @Test(
            "issue consumes one, and is 409 without it, or where the user was logged out everywhere meanwhile",
            arguments: ["user", "tenant", "everyone"])
        func issue(target: String) async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            func login(_ state: String, on node: Int) async throws -> HTTPAnswer {
                try await cluster.nodes[node].api.call(
                    "POST", "/v1/issue",
                    body: ["userId": .string(user), "tenantId": .string("t-\(user)"), "state": .string(state)])
            }
            let good = try await make(cluster.nodes[0])
            let first = try await login(good, on: 1)
            #expect(first.status == 201, "\(first.everything)")
            let again = try await login(good, on: 2)
            #expect(again.status == 409 && again.code == "conflict")
            #expect(try await login("cfs_nonsense", on: 0).code == "conflict")

            let begun = try await make(cluster.nodes[2])
            let target: [String: JSON] =
                switch target {
                case "user": ["userId": .string(user)]
                case "tenant": ["tenantId": .string("t-\(user)")]
                default: ["everyone": true]
                }
            try await revoke(target, on: cluster.nodes[0])
            let late = try await login(begun, on: 1)
            #expect(late.status == 409 && late.code == "conflict", "\(late.everything)")
            try await cluster.settle()
            let fresh = try await make(cluster.nodes[1])
            #expect(try await login(fresh, on: 0).status == 201)
        }

        @Test("a login in flight never wins against a logout everywhere, whichever comes first")
        func race() async throws {
            let cluster = try await SharedCluster.ready()
            for round in 0..<60 {
                let user = ClusterHarness.newUser()
                let state = try await make(cluster.nodes[round % 3])
                async let login = cluster.nodes[(round + 1) % 3].api.call(
                    "POST", "/v1/issue", body: ["userId": .string(user), "state": .string(state)])
                async let logout = revoke(["userId": .string(user)], on: cluster.nodes[(round + 2) % 3], .cluster)
                let (issued, _) = try await (login, logout)
                if issued.status == 201 {
                    let token = try #require(issued.json["token"].string)
                    for node in cluster.nodes { #expect(try await node.api.validate(token).code == "session_revoked") }
                } else {
                    #expect(issued.status == 409)
                }
            }
        }

        @Test(
            "bad input",
            arguments: [
                "{\"ttl\":\"0s\"}", "{\"ttl\":\"2h\"}", "{\"ttl\":600}", "{\"ttl\":\"soon\"}", "{\"data\":[]}",
                "{\"data\":\"x\"}",
                "{\"date\":{}}", "[]", "{",
            ])
        func badInput(body: String) async throws {
            let cluster = try await SharedCluster.ready()
            let api = cluster.nodes[0].api
            let answer = try await api.call("POST", "/v1/states", text: body)
            #expect(answer.status == 400, "\(answer.everything)")
            let large = "{\"data\":{\"a\":\"" + String(repeating: "x", count: 4096) + "\"}}"
            #expect(try await api.call("POST", "/v1/states", text: large).code == "value_out_of_range")
            for wrong in ["{}", "{\"state\":1}", "{\"state\":\"a\",\"b\":1}"] {
                #expect(try await api.call("POST", "/v1/states/consume", text: wrong).status == 400)
            }
            #expect(try await api.call("GET", "/v1/states").status == 405)
            #expect(try await api.call("POST", "/v1/states", on: .public).status == 404)
        }
    }
}
