// Nodes over a real deployment with Sentinel.

import Foundation
import TestSupport
import Testing

/// Nodes that share what sentinels watch.
final class SentinelCluster: Sendable {
    let redis: SentinelDeployment
    let nodes: [NodeProcess]
    let stalenessBound: Int64 = 1_000_000_000
    private let directory: String

    /// - Parameter sentinels: the ports that each node's URL names; one node each.
    init(_ redis: SentinelDeployment, sentinels: [[Int]]) throws {
        self.redis = redis
        let directory = try makePrivateDirectory()
        self.directory = directory
        nodes = try sentinels.enumerated().map { index, ports in
            var settings = try NodeSettings(
                name: "node \(index + 1)", redisURL: redis.url(ports), namespace: "curfew", directory: directory)
            settings.environment = ["CURFEW_REDIS_SENTINEL_PASSWORD": SentinelDeployment.sentinelPassword]
            return NodeProcess(settings)
        }
    }

    /// Starts a deployment and a node for each of `listed`: which of the sentinels its URL names.
    static func run(
        _ options: SentinelOptions = SentinelOptions(), listed: [[Int]] = [[0, 1, 2], [1, 2, 0], [2, 0, 1]],
        _ body: (SentinelCluster) async throws -> Void
    ) async throws {
        try await SentinelDeployment.run(options) { redis in
            let ports = listed.map { $0.map { redis.sentinels[$0].port } }
            let cluster = try SentinelCluster(redis, sentinels: ports)
            try await cluster.running { try await body(cluster) }
        }
    }

    /// Starts the nodes, and ends them after `body`.
    func running(_ body: () async throws -> Void) async throws {
        let result: Result<Void, any Error>
        do {
            for node in nodes { try node.start() }
            try await ready()
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        for node in nodes {
            node.kill()
            NodeLogs.forget(node)
        }
        try? FileManager.default.removeItem(atPath: directory)
        try result.get()
    }

    func ready() async throws {
        for node in nodes { try await node.ready(within: .seconds(60)) }
    }

    /// What a node says about its Redis.
    func view(_ node: NodeProcess) async throws -> JSON { try await node.api.call("GET", "/v1/cluster").json["redis"] }

    /// Waits until every node is ready at another primary than the first server, and each says so.
    func haveMoved() async throws {
        try await ready()
        for node in nodes {
            try await eventually(deadline: .seconds(30), "\(node.name) follows the new primary") {
                let address = try await view(node)["address"].string ?? ""
                return redis.servers.dropFirst().contains { address.contains(":\($0.port)/") }
            }
        }
        try await ready()
    }
}
