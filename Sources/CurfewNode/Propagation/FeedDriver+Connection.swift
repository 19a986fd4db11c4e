// First things first: on every new connection the node learns whose reign it is, checks that it may trust the server, and
// reconciles every partition that is not on the chain it knows. Only then may anything else be sent.

import CurfewCore
import CurfewRedis
import Logging
import Synchronization

/// Why a connection is not used.
enum ConnectionRefusal: Error, CustomStringConvertible {
    case notPrimary(role: String)
    case incompleteInfo
    case notFollowed

    var description: String {
        switch self {
        case .notPrimary(let role): "this Redis is a \(role), expected a primary"
        case .notFollowed: "this Redis is not the one that the node follows"
        case .incompleteInfo: "INFO names no run_id or master_replid"
        }
    }
}

extension FeedDriver {
    /// The hook of the client.
    package func connected(_ connection: RedisConnection) async throws {
        let info = RedisInfo(try await connection.send(RedisCommand("INFO", [])).text(for: "INFO"))
        guard info.role == "master" else { throw ConnectionRefusal.notPrimary(role: info.role ?? "server of no role") }
        guard let sighting = info.sighting() else { throw ConnectionRefusal.incompleteInfo }
        try await checkCluster(info, connection)
        let warnings = await splitBrainWarnings(info, connection) + evictionWarnings(info)
        let now = clock.boot()
        let reign = self.connection.withLock { state in
            state.generation = connection.generation
            state.runID = info.runID
            state.info = info
            state.warnings = warnings
            return state.tracker.see(sighting, at: now)
        }
        for warning in warnings {
            logger.warning("Redis is not set up for certainty", metadata: ["detail": "\(warning)"])
        }
        try await reconcileAll(reign, connection)
        logger.info(
            "connected to Redis",
            metadata: [
                "version": "\(info.version ?? "unknown")", "run_id": "\(reign.runID.prefix(8))",
                "partitions": "\(partitions.count)",
            ])
        wake.yield()
    }

    /// A few partitions at a time: each is a handful of round trips.
    private func reconcileAll(_ reign: Reign, _ connection: RedisConnection) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, partition) in partitions.enumerated() {
                if index >= Self.maximumParallelSnapshots { try await group.next() }
                group.addTask { [self] in
                    try await perform(handle(.connected(reign), in: partition), in: partition, on: connection)
                }
            }
            try await group.waitForAll()
        }
    }

    static let maximumParallelSnapshots = 16

    package func disconnected() {
        connection.withLock { $0.generation = nil }
        for partition in partitions {
            _ = handle(.disconnected, in: partition)
            fences.tell(.watchLost, to: partition)
        }
    }

    /// The hook of the client for `durability: "replica"`: it may write only to the primary that the feeds follow.
    package func verifyDurable(_ connection: RedisConnection) async throws {
        let info = RedisInfo(try await connection.send(RedisCommand("INFO", [])).text(for: "INFO"))
        let deadline = clock.boot() + redisTimeout
        while followedRunID == nil, clock.boot() < deadline { try await Task.sleep(for: .milliseconds(10)) }
        guard info.role == "master", let runID = info.runID, runID == followedRunID else {
            throw ConnectionRefusal.notFollowed
        }
    }

    private var followedRunID: String? { connection.withLock { $0.generation == nil ? nil : $0.runID } }

    private func checkCluster(_ info: RedisInfo, _ connection: RedisConnection) async throws {
        let key = RedisArgument(calls.keys.partitionCount)
        _ = try await connection.send(
            RedisCommand("SET", [key, RedisArgument(String(checks.partitionCount)), "NX"]))
        let stored = try await connection.send(RedisCommand("GET", [key])).text(for: "GET partitions")
        try checks.verify(info, stored: stored)
    }

    /// Records and indexes have a time to live, the revocation list has none.
    private func evictionWarnings(_ info: RedisInfo) -> [String] {
        guard let policy = info.maxmemoryPolicy, policy != "noeviction" else { return [] }
        return [
            "maxmemory-policy \(policy) may evict session records and users' indexes: a revoke by device, or of all but one "
                + "session, misses a session whose place in the index was evicted"
        ]
    }

    /// What this topology can't exclude. CONFIG may be forbidden; then nothing can be said.
    private func splitBrainWarnings(_ info: RedisInfo, _ connection: RedisConnection) async -> [String] {
        guard info.connectedReplicas > 0,
            let reply = try? await connection.send(RedisCommand("CONFIG", ["GET", "min-replicas-*"])),
            let flat = try? reply.array(for: "CONFIG GET").map({ try $0.text(for: "CONFIG GET") })
        else { return [] }
        var settings: [String: Int] = [:]
        for index in stride(from: 0, to: flat.count - 1, by: 2) { settings[flat[index]] = Int(flat[index + 1]) }
        guard let toWrite = settings["min-replicas-to-write"], toWrite < 1 else { return [] }
        return [
            "Redis has replicas but min-replicas-to-write is 0: a primary that was cut off goes on accepting writes, "
                + "and nodes that still reach it stay fresh from it"
        ]
    }
}
