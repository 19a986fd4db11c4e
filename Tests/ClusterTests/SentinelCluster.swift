// Nodes over a real deployment with Sentinel, and clients that log in, validate and log out at all of them without pause
// while something happens to Redis.

import Foundation
import Synchronization
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

/// Clients that issue, validate and revoke at every node until they are stopped.
final class SentinelLoad: Sendable {
    private struct State {
        var isStopping = false
        /// Whose revoke was answered 200, and when that answer was read.
        var revoked: [(session: TestSession, returned: Int64, isFenced: Bool)] = []
        var failures = 0
    }

    private let nodes: [NodeProcess]
    private let live: TestSession
    private let hammer: Hammer
    private let state = Mutex(State())

    /// `live` is validated throughout and never revoked.
    init(_ cluster: SentinelCluster, live: TestSession) {
        nodes = cluster.nodes
        self.live = live
        hammer = Hammer(cluster.nodes, [live])
    }

    var revokedCount: Int { state.withLock { $0.revoked.count } }

    /// Runs the load during `body`, and judges it: nobody was active after a fenced revoke of theirs, who was never
    /// revoked was never refused, and every revoke that returned 200 is in force everywhere once the nodes are ready.
    func during(on cluster: SentinelCluster, _ body: () async throws -> Void) async throws {
        let samples = try await withThrowingTaskGroup(of: Void.self) { group in
            for index in nodes.indices { group.addTask { await self.work(at: index) } }
            let result: Result<Void, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            state.withLock { $0.isStopping = true }
            try await group.waitForAll()
            let samples = await hammer.stop()
            try result.get()
            return samples
        }
        let revoked = state.withLock { $0.revoked }
        for entry in revoked where entry.isFenced {
            let late = samples.active(beganAfter: entry.returned, of: entry.session.token)
            #expect(late.isEmpty, "active after a fenced revoke: \(late.count)")
        }
        let tally = samples.filter { $0.token == live.token }.tally
        #expect(Set(tally.keys).isSubset(of: ["200", "503 revocation_state_stale"]), "\(tally)")
        try await cluster.ready()
        try await cluster.expectRevokedNow(revoked.map(\.session))
        try await cluster.expectActive([live])
    }

    private func work(at index: Int) async {
        var round = index
        while !state.withLock({ $0.isStopping }) {
            round += 1
            do {
                let session = try await nodes[index].api.issue(ClusterHarness.newUser())
                aim(at: session)
                _ = try await nodes[(index + 1) % nodes.count].api.validate(session.token)
                let options: RevokeOptions = round % 3 == 0 ? .none : .cluster
                let answer = try await nodes[(index + 2) % nodes.count].api
                    .revoke(["userId": .string(session.user)], options)
                let returned = BootClock.now
                guard answer.status == 200 else { throw UnexpectedAnswer("revoke", answer) }
                state.withLock { $0.revoked.append((session, returned, options.waits)) }
            } catch {
                // Redis is away now and then: that is the point.
                state.withLock { $0.failures += 1 }
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// The hammer validates the last few of those that are about to be revoked.
    private func aim(at session: TestSession) {
        let last = state.withLock { $0.revoked.suffix(6).map(\.session.token) }
        hammer.aim(at: [live.token, session.token] + last)
    }
}
