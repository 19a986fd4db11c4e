// Three nodes on a real Redis Cluster, for one suite. Three times two partitions and a few more lie on its three primaries:
// with eight, every primary has at least two.

import Foundation
import TestSupport
import Testing

/// The Redis Cluster and its nodes.
final class RedisClusterHarness: Sendable {
    /// Divides the number of slots, so that CLUSTER KEYSLOT of a user tells its partition.
    static let partitions = 8
    @TaskLocal static var shared: RedisClusterHarness?

    let redis: RedisClusterFixture
    let nodes: [NodeProcess]
    let namespace = "test\(UInt32.random(in: .min ... .max))"
    private let directory: String

    init(stalenessBoundMilliseconds: Int) async throws {
        directory = try makePrivateDirectory()
        redis = try await RedisClusterFixture.start()
        nodes = try (1...3).map { [redis, namespace, directory] number in
            var settings = try Self.settings("node \(number)", redis, namespace, directory)
            settings.stalenessBoundMilliseconds = stalenessBoundMilliseconds
            return NodeProcess(settings)
        }
    }

    private static func settings(
        _ name: String, _ redis: RedisClusterFixture, _ namespace: String, _ directory: String
    ) throws -> NodeSettings {
        var settings = try NodeSettings(name: name, redisURL: redis.url, namespace: namespace, directory: directory)
        settings.partitions = partitions
        return settings
    }

    /// A further node, not started. Whoever asks for it sees to its end.
    func makeNode(_ name: String, change: (inout NodeSettings) -> Void) throws -> NodeProcess {
        var settings = try Self.settings(name, redis, namespace, directory)
        change(&settings)
        return NodeProcess(settings)
    }

    func start() async throws {
        for node in nodes { try node.start() }
        try await ready()
    }

    func stop() {
        for node in nodes {
            node.kill()
            NodeLogs.forget(node)
        }
        redis.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// The suite's cluster, with every node ready.
    static func ready() async throws -> RedisClusterHarness {
        let cluster = try #require(shared)
        try await cluster.ready()
        return cluster
    }

    func ready() async throws {
        for node in nodes { try await node.ready(within: .seconds(30)) }
    }

    func node(_ index: Int) -> NodeProcess { nodes[index % nodes.count] }
    func key(_ rest: String) -> String { "\(namespace):\(rest)" }

    /// Waits until a fenced revoke in each partition counts all nodes.
    func settle() async throws {
        for partition in 0..<Self.partitions {
            try await eventually("every node is counted in a fence of partition \(partition)") {
                let answer = try await self.nodes[0].api.revoke(
                    ["userId": .string(self.newUser(in: partition))], .cluster)
                let propagation = answer.json["propagation"]
                return propagation["state"] == "acknowledged" && propagation["nodes"].int == self.nodes.count
            }
        }
    }
}

extension RedisClusterHarness {
    /// Where a user belongs; -1 where no member says.
    func partition(of user: String) -> Int { (try? redis.slot(of: user)).map { $0 % Self.partitions } ?? -1 }

    /// A user of this partition that no other test knows.
    func newUser(in partition: Int) -> String {
        while true {
            let user = ClusterHarness.newUser()
            if self.partition(of: user) == partition { return user }
        }
    }

    func issue(in partition: Int, on node: Int) async throws -> TestSession {
        try await self.node(node).api.issue(newUser(in: partition))
    }

    /// One session in each partition but these.
    func issueEverywhere(but left: [Int]) async throws -> [TestSession] {
        var sessions: [TestSession] = []
        for partition in 0..<Self.partitions where !left.contains(partition) {
            sessions.append(try await issue(in: partition, on: partition))
        }
        try await expectActive(sessions)
        return sessions
    }

    func slot(of partition: Int) throws -> Int { try redis.slot(of: key("{\(partition)}:head")) }

    /// The primary that has a partition now.
    func owner(of partition: Int) throws -> RedisServer {
        let asked = try #require(redis.members.first { $0.pid != 0 })
        return try redis.owner(of: try slot(of: partition), asked: asked)
    }

    func expectOnlyActive(_ samples: [Sample], of token: String, location: SourceLocation = #_sourceLocation) {
        let tally = samples.filter { $0.token == token }.tally
        #expect(Set(tally.keys) == ["200"], "\(tally)", sourceLocation: location)
    }
}

extension RedisClusterFixture {
    /// Whether its servers are of 7.0 or newer.
    func isSharded() throws -> Bool {
        let version = try members[0].call(["INFO", "server"]).split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("redis_version:") }
        return (version?.dropFirst("redis_version:".count).split(separator: ".").first.flatMap { Int($0) } ?? 0) >= 7
    }
}

/// Gives all tests of a suite one Redis Cluster with its nodes.
struct SharedRedisCluster: SuiteTrait, TestScoping {
    let stalenessBoundMilliseconds: Int

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let cluster = try await RedisClusterHarness(stalenessBoundMilliseconds: stalenessBoundMilliseconds)
        defer { cluster.stop() }
        try await cluster.start()
        try await RedisClusterHarness.$shared.withValue(cluster) { try await function() }
    }
}

extension Trait where Self == SharedRedisCluster {
    static func redisCluster(stalenessBoundMilliseconds: Int = 1_000) -> Self {
        SharedRedisCluster(stalenessBoundMilliseconds: stalenessBoundMilliseconds)
    }
}
