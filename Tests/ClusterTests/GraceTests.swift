// The opt-in for who prefers to serve: past Δ memory answers on, marked; what is known to be revoked stays refused; and a fence
// that would have to wait such a node out says so instead of promising what it can't.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster(ClusterOptions(arguments: ["--on-stale", "grace:60s"]))) struct Grace {
        @Test("with Redis stopped a node in grace serves from memory, marked stale, and refuses what it knows revoked")
        func servesMarked() async throws {
            let cluster = try await SharedCluster.ready()
            let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let dead = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await revoke(["sessionId": .string(dead.id)], on: cluster.nodes[0], .cluster)
            let fresh = try await cluster.nodes[1].api.validate(live.token)
            #expect(fresh.json["stale"] == nil)
            _ = cluster.pauseRedis()
            defer { cluster.redis.resume() }
            for node in cluster.nodes {
                try await eventually("\(node.name) marks its answer") {
                    let answer = try await node.api.validate(live.token)
                    return answer.status == 200 && answer.json["stale"] == true
                }
                let introspected = try await node.api.introspect(live.token)
                #expect(introspected.json["active"] == true && introspected.json["stale"] == true)
                let refused = try await node.api.validate(dead.token)
                #expect(refused.status == 401)
                #expect(refused.code == "session_revoked")
            }
        }

        @Test("a fence that would have to wait out a node in grace is pending, not fenced")
        func pendingNotFenced() async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            try await cluster.proxies[2].set(.blackhole)
            let answer = try await cluster.nodes[0].api.revoke(["userId": .string(ClusterHarness.newUser())], .cluster)
            let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            let oauth = try await cluster.nodes[0].api.call(
                "POST", "/oauth2/revoke", text: "token=\(session.token)", type: "application/x-www-form-urlencoded")
            try await cluster.proxies[2].set(.forward)
            #expect(oauth.status == 503 && oauth.code == "revocation_state_stale", "\(oauth.everything)")
            #expect(oauth.json["error"] == "temporarily_unavailable" && oauth.header("retry-after") == "1")
            #expect(answer.status == 202)
            #expect(answer.json["propagation"]["state"] == "pending")
        }
    }
}
