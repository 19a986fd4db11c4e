// What browsers and proxies do of themselves, against a revoke on another node: a use that is told late, and a renewal on the way
// through a proxy. (Calls that renew or rotate are raced in `Refresh` and `Rotate`, logins in `LoginStates`.)

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster(ClusterOptions(arguments: ["--web-idle-timeout", "2s"])))
    struct Races {
        @Test("promise 5: no use that is told after a revoke brings anything of the session back")
        func uses() async throws {
            let cluster = try await SharedCluster.ready()
            var ended: [TestSession] = []
            for race in 0..<Refresh.races {
                let session = try await cluster.nodes[race % 3].api.issue(ClusterHarness.newUser())
                async let revoked = cluster.nodes[(race + 1) % 3].api.revoke(
                    ["sessionId": .string(session.id)], .cluster)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for node in cluster.nodes { group.addTask { _ = try await node.api.validate(session.token) } }
                    try await group.waitForAll()
                }
                #expect(try await revoked.status == 200)
                ended.append(session)
            }
            try await cluster.expectRevokedNow(ended)
            // Each node has told what it saw, this later use too.
            for node in cluster.nodes {
                let witness = try await node.api.issue(ClusterHarness.newUser())
                let path = "/v1/sessions/\(witness.id)"
                let issued = try await node.api.call("GET", path).json["lastActiveAt"]
                try await eventually("its use is told") {
                    _ = try await node.api.validate(witness.token)
                    return try await node.api.call("GET", path).json["lastActiveAt"] != issued
                }
            }
            let dues = try cluster.redis.call(["KEYS", "\(cluster.namespace):*:due"]).split(separator: "\n")
            for session in ended {
                #expect(try cluster.redis.call(["KEYS", "*:s:\(session.id)"]).isEmpty)
                for due in dues {
                    #expect(try cluster.redis.call(["ZSCORE", String(due), session.id]).isEmpty)
                }
            }
        }

        @Test("promise 5: no renewal by a proxy that races a revoke outlives it")
        func proxies() async throws {
            let cluster = try await SharedCluster.ready()
            var renewals = 0
            for race in 0..<Refresh.races {
                let session = try await cluster.nodes[race % 3].api.issue(ClusterHarness.newUser())
                let forge = try #require(TokenForge(token: session.token, secret: cluster.nodes[0].settings.secret))
                let cookie = ("Cookie", "__Host-curfew=\(forge.changing("exp", to: "1700000000"))")
                func visit(_ node: NodeProcess) async throws -> HTTPAnswer {
                    try await node.api.call("GET", "/v1/forward-auth?renew=true", on: .public, headers: [cookie])
                }
                async let revoked = cluster.nodes[race % 3].api.revoke(["userId": .string(session.user)], .cluster)
                let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                    for node in cluster.nodes { group.addTask { try await visit(node) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(try await revoked.status == 200)
                let tokens = answers.compactMap { answer in
                    answer.header("set-cookie").flatMap { $0.split(separator: ";").first }?
                        .split(separator: "=", maxSplits: 1).last.map(String.init)
                }
                renewals += tokens.count
                for node in cluster.nodes {
                    for token in tokens + [session.token] {
                        #expect(try await node.api.validate(token).code == "session_revoked")
                    }
                    let late = try await visit(node)
                    #expect(late.status == 401 && late.header("set-cookie") == nil, "\(late.everything)")
                }
            }
            #expect(renewals > 0)
        }
    }
}
