// A whole cluster for a test: one redis-server, a proxy that can misbehave between it and each node, and the nodes. It is
// ended when the body of `run` is over, however it ended.

import Foundation
import Glibc
import Synchronization

/// How a test's cluster differs from the usual one: three nodes, four partitions, Δ of a second.
package struct ClusterOptions: Sendable {
    package var nodes = 3
    package var partitions = 4
    package var stalenessBoundMilliseconds = 1_000
    package var logLevel = "info"
    /// Further arguments of every node's `serve`.
    package var arguments: [String] = []
    /// Of every node; a usual variable that is `nil` here is left out.
    package var environment: [String: String?] = [:]
    package var redis = RedisServerOptions()
    /// Each node's line to Redis is a wire of the kernel's own, which can be cut.
    package var hasWires = false

    package init(
        nodes: Int = 3, stalenessBoundMilliseconds: Int = 1_000, logLevel: String = "info", arguments: [String] = [],
        environment: [String: String?] = [:]
    ) {
        self.nodes = nodes
        self.stalenessBoundMilliseconds = stalenessBoundMilliseconds
        self.logLevel = logLevel
        self.arguments = arguments
        self.environment = environment
        // A replica gets its first copy at once.
        redis.configuration = ["repl-diskless-sync-delay 0"]
    }
}

/// Redis, proxies and nodes that belong together.
package final class ClusterHarness: Sendable {
    package let options: ClusterOptions
    /// The server that the cluster began with.
    package let redis: RedisServer
    /// One in front of Redis for each node of the start, in their order.
    package let proxies: [FaultProxy]
    package let nodes: [NodeProcess]
    package let namespace: String
    private let directory: String
    private let joined = Mutex<[NodeProcess]>([])

    /// Δ in nanoseconds.
    package var stalenessBound: Int64 { Int64(options.stalenessBoundMilliseconds) * 1_000_000 }
    /// Δ and the margin for clock drift (1 % of Δ and 10 ms), in nanoseconds.
    package var fenceBound: Int64 { stalenessBound + stalenessBound / 100 + 10_000_000 }
    package var publicPorts: [Int] { nodes.map(\.settings.publicPort) }

    /// Starts a cluster, waits until all of it is ready, runs `body`, and ends the cluster.
    package static func run(
        _ options: ClusterOptions = ClusterOptions(), _ body: (ClusterHarness) async throws -> Void
    ) async throws {
        let cluster = try await ClusterHarness(options)
        do {
            try cluster.nodes.forEach { try $0.start() }
            for node in cluster.nodes { try await node.ready() }
            try await body(cluster)
        } catch {
            await cluster.stop()
            throw error
        }
        await cluster.stop()
    }

    private init(_ options: ClusterOptions) async throws {
        self.options = options
        namespace = "test\(UInt32.random(in: .min ... .max))"
        directory = try makePrivateDirectory()
        redis = try await RedisServer.start(options.redis)
        // The proxies connect to a link, so that `switchRedis` can point all of them elsewhere.
        try FileManager.default.createSymbolicLink(
            atPath: directory + "/redis.sock", withDestinationPath: redis.unixSocket)
        var proxies: [FaultProxy] = []
        var nodes: [NodeProcess] = []
        for index in 0..<options.nodes {
            let proxy = try await FaultProxy.start(
                to: .unix(path: directory + "/redis.sock"), over: options.hasWires ? try Wire() : nil)
            proxies.append(proxy)
            nodes.append(
                NodeProcess(
                    try Self.settings(
                        "node \(index + 1)",
                        redisURL: "redis://\(RedisUser.name):\(RedisUser.password)@\(proxy.host):\(proxy.port)/0",
                        options: options,
                        namespace: namespace, directory: directory)))
        }
        self.proxies = proxies
        self.nodes = nodes
    }

    private static func settings(
        _ name: String, redisURL: String, options: ClusterOptions, namespace: String, directory: String
    ) throws -> NodeSettings {
        var settings = try NodeSettings(name: name, redisURL: redisURL, namespace: namespace, directory: directory)
        settings.partitions = options.partitions
        settings.stalenessBoundMilliseconds = options.stalenessBoundMilliseconds
        settings.logLevel = options.logLevel
        settings.arguments = options.arguments
        settings.environment = options.environment
        return settings
    }

    /// A further node, not started, with a straight line to Redis (this cluster's, unless another is given).
    package func makeNode(
        _ name: String, redis: RedisServer? = nil, change: (inout NodeSettings) -> Void = { _ in }
    ) throws -> NodeProcess {
        let url = redis?.nodesURL ?? "redis+unix://\(RedisUser.name):\(RedisUser.password)@\(directory)/redis.sock?db=0"
        var settings = try Self.settings(
            name, redisURL: url, options: options, namespace: namespace, directory: directory)
        change(&settings)
        let node = NodeProcess(settings)
        joined.withLock { $0.append(node) }
        return node
    }

    /// Points every proxy (and later nodes) at another server and cuts what was connected to the former one.
    package func switchRedis(toSocket path: String) async throws {
        let link = directory + "/redis.sock"
        try FileManager.default.createSymbolicLink(atPath: link + ".new", withDestinationPath: path)
        guard rename(link + ".new", link) == 0 else { throw NodeEnded(description: "can't move the link") }
        for proxy in proxies { try await proxy.dropAll() }
    }

    /// Stops Redis; returns when it stands, with the time after which it can't have answered anything.
    package func pauseRedis() -> Int64 {
        redis.pause()
        SpawnedProcess.waitUntilStopped(redis.pid)
        return BootClock.now
    }

    /// A key of this cluster's Redis.
    package func key(_ rest: String) -> String { "\(namespace):\(rest)" }

    /// Waits until every node of the start says that it is ready.
    package func ready(within limit: Duration = .seconds(20)) async throws {
        for node in nodes { try await node.ready(within: limit) }
    }

    private func stop() async {
        redis.resume()
        for node in nodes + joined.withLock({ $0 }) {
            node.kill()
            NodeLogs.forget(node)
        }
        for proxy in proxies { try? await proxy.stop() }
        redis.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }
}
