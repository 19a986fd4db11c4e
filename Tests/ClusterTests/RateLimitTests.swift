// How often a user may log in and a session may be refreshed: exact for all nodes together, in a window that slides.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(
        .cluster(ClusterOptions(arguments: ["--rate-limit-issue", "10/4s", "--rate-limit-refresh", "3/60s"])))
    struct RateLimits {
        private func login(
            _ user: String, on node: NodeProcess, _ more: [String: JSON] = [:], key: String? = nil
        ) async throws -> HTTPAnswer {
            try await node.api.call(
                "POST", "/v1/issue", body: .object(["userId": .string(user)].merging(more) { $1 }),
                headers: key.map { [("Idempotency-Key", $0)] } ?? [])
        }

        @Test(
            "of many logins at the same time on three nodes as many succeed as the limit says, the rest hear when to come back"
        )
        func exact() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                for index in 0..<64 { group.addTask { try await login(user, on: cluster.nodes[index % 3]) } }
                return try await group.reduce(into: [HTTPAnswer]()) { $0.append($1) }
            }
            #expect(answers.count { $0.status == 201 } == 10)
            let refused = answers.filter { $0.status != 201 }
            #expect(refused.count == 54)
            for answer in refused {
                #expect(answer.status == 429 && answer.code == "rate_limited", "\(answer.everything)")
                let seconds = try #require(answer.header("retry-after").flatMap { Int($0) })
                #expect((1...4).contains(seconds))
                #expect(answer.header("ratelimit-policy") == "\"issue\";q=10;w=4")
                #expect(answer.header("ratelimit") == "\"issue\";r=0;t=\(seconds)")
            }
            // Another user has a window of their own.
            #expect(try await login(ClusterHarness.newUser(), on: cluster.nodes[0]).status == 201)
        }

        @Test("the window slides: what was refused is let in later, and the counter goes by itself")
        func slides() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            for index in 0..<10 { #expect(try await login(user, on: cluster.nodes[index % 3]).status == 201) }
            #expect(try await login(user, on: cluster.nodes[0]).status == 429)
            try await eventually("there is room again") {
                try await login(user, on: cluster.nodes[1]).status == 201
            }
            #expect(try cluster.redis.call(["KEYS", "*:li:\(user)"]).isEmpty == false)
            try await eventually("the counter is gone") {
                try cluster.redis.call(["KEYS", "*:li:\(user)"]).isEmpty
            }
        }

        @Test("a refused login takes no login state and no Idempotency-Key")
        func leavesNothing() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            let made = try await cluster.nodes[0].api.call("POST", "/v1/states", body: .object([:]))
            let state = made.json["state"]
            for index in 0..<10 { #expect(try await login(user, on: cluster.nodes[index % 3]).status == 201) }
            #expect(try await login(user, on: cluster.nodes[2], ["state": state], key: "k-\(user)").status == 429)
            try await eventually("the same call is let through") {
                try await login(user, on: cluster.nodes[1], ["state": state], key: "k-\(user)").status == 201
            }
        }

        @Test("an answer that an Idempotency-Key gives again is not counted")
        func replays() async throws {
            let cluster = try await SharedCluster.ready()
            let user = ClusterHarness.newUser()
            for index in 0..<20 {
                #expect(try await login(user, on: cluster.nodes[index % 3], key: "r-\(user)").status == 201)
            }
            #expect(try await login(user, on: cluster.nodes[0]).status == 201)
        }

        @Test(
            "no limit hides a theft: a refresh token that was replaced ends its session, however often that was renewed"
        )
        func theft() async throws {
            let options = ClusterOptions(
                nodes: 2, arguments: ["--rate-limit-refresh", "3/1h", "--refresh-grace", "1s"])
            try await ClusterHarness.run(options) { cluster in
                let (node, other) = (cluster.nodes[0], cluster.nodes[1])
                let session = try await node.api.issue(ClusterHarness.newUser(), kind: "api")
                let stolen = try #require(session.refreshToken)
                var last = stolen
                for _ in 0..<3 {
                    let renewed = try await node.api.refresh(last)
                    last = try #require(TestSession(renewed.json)?.refreshToken)
                }
                #expect(try await other.api.refresh(last).status == 429)
                try await eventually("it ends once the grace is over") {
                    try await other.api.refresh(stolen).code == "refresh_token_reused"
                }
                try await cluster.expectRevoked([session])
            }
        }

        @Test("a session's refreshes are bounded on all nodes together, and it lives on")
        func refreshes() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            for node in cluster.nodes { #expect(try await node.api.refresh(bearing: session.token).status == 200) }
            let answer = try await cluster.nodes[1].api.refresh(bearing: session.token)
            #expect(answer.status == 429 && answer.header("ratelimit-policy") == "\"refresh\";q=3;w=60")
            try await cluster.expectActive([session])
        }
    }
}
