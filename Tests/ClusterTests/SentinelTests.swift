// Redis behind Sentinel: the nodes find the primary, follow it through failovers under load, and on the wrong side of a split
// they stop serving.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Sentinels {
        @Test("nodes find the primary through any one sentinel, say where it is, and a fenced revoke holds everywhere")
        func found() async throws {
            try await SentinelCluster.run(listed: [[0], [1], [2]]) { cluster in
                let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([session])
                try await eventually("a fence counts all nodes") {
                    let other = ["userId": JSON.string(ClusterHarness.newUser())]
                    return try await cluster.nodes[1].api.revoke(other, .cluster).json["propagation"]["nodes"].int == 3
                }
                let answer = try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[1], .cluster)
                #expect(answer["propagation"]["state"] == "acknowledged")
                try await cluster.expectRevokedNow([session])
                for node in cluster.nodes {
                    let view = try await cluster.view(node)
                    #expect(view["topology"] == "sentinel")
                    #expect(
                        view["address"] == .string("redis://curfew:***@127.0.0.1:\(cluster.redis.lineToFirst.port)/0"))
                    #expect(!node.log.contains(SentinelDeployment.password))
                    #expect(!node.log.contains(SentinelDeployment.sentinelPassword))
                }
            }
        }

        @Test("a primary that is killed under load: no revoke is lost, no fence broken, and the nodes serve again")
        func killed() async throws {
            try await SentinelCluster.run { cluster in
                let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                let load = WriteLoad(cluster.nodes, live: live)
                try await load.during(on: cluster) {
                    try await eventually("the load runs") { load.revokedCount > 20 }
                    cluster.redis.servers[0].crash()
                    try await cluster.redis.hasFailedOver()
                    try await cluster.haveMoved()
                    let before = load.revokedCount
                    try await eventually("the load runs again") { load.revokedCount > before + 20 }
                }
            }
        }

        @Test("a planned failover under load, the old primary living on as a replica: the same promises")
        func planned() async throws {
            try await SentinelCluster.run { cluster in
                let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                let load = WriteLoad(cluster.nodes, live: live)
                try await load.during(on: cluster) {
                    try await eventually("the load runs") { load.revokedCount > 20 }
                    try cluster.redis.sentinels[1].call(["SENTINEL", "FAILOVER", SentinelDeployment.name])
                    try await cluster.redis.hasFailedOver()
                    try await cluster.haveMoved()
                    let before = load.revokedCount
                    try await eventually("the load runs again") { load.revokedCount > before + 20 }
                    try await eventually(deadline: .seconds(60), "the old primary is a replica") {
                        try cluster.redis.servers[0].call(["ROLE"]).hasPrefix("slave")
                    }
                }
            }
        }

        @Test("nodes that name only one sentinel outlive it, and follow the failover after it")
        func sentinelKilled() async throws {
            try await SentinelCluster.run(listed: [[0], [0], [0, 1]]) { cluster in
                let live = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                let dead = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                cluster.redis.sentinels[0].crash()
                try await revoke(["sessionId": .string(dead.id)], on: cluster.nodes[1], .cluster)
                cluster.redis.servers[0].crash()
                try await cluster.redis.hasFailedOver(Array(cluster.redis.sentinels[1...]))
                try await cluster.haveMoved()
                try await cluster.expectActive([live])
                try await cluster.expectRevokedNow([dead])
                let late = try await cluster.nodes[2].api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([late])
            }
        }

        @Test("a name that no sentinel knows is logged and tried again, and ends nothing")
        func wrongName() async throws {
            try await SentinelCluster.run(listed: [[0, 1, 2]]) { cluster in
                var settings = try NodeSettings(
                    name: "stray", redisURL: cluster.nodes[0].settings.redisURL.replacing("/sessions", with: "/typo"),
                    namespace: "curfew", directory: try makePrivateDirectory())
                settings.environment = cluster.nodes[0].settings.environment
                let stray = NodeProcess(settings)
                try stray.start()
                try await eventually("the reason is logged") {
                    stray.log.contains("no sentinel names the primary typo")
                        && stray.log.contains("knows no primary of this name")
                }
                try await eventually("it listens, and is not ready") {
                    try await stray.api.call("GET", "/health/ready", on: .public).status == 503
                }
                #expect(stray.exit == nil)
                stray.kill()
                NodeLogs.forget(stray)
            }
        }
    }
}
