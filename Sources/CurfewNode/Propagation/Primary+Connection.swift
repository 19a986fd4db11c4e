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

extension Primary {
    /// The hook of the client.
    func connected(_ link: any RedisLink) async throws {
        let info = RedisInfo(try await link.send(RedisCommand("INFO", [])).text(for: "INFO"))
        guard info.role == "master" else { throw ConnectionRefusal.notPrimary(role: info.role ?? "server of no role") }
        guard let sighting = info.sighting() else { throw ConnectionRefusal.incompleteInfo }
        try await checkCluster(info, link)
        let warnings = await splitBrainWarnings(info, link) + evictionWarnings(info)
        let now = driver.clock.boot()
        let reign = state.withLock { state in
            state.connection = id(of: link)
            state.runID = info.runID
            state.info = info
            state.warnings = warnings
            return state.tracker.see(sighting, at: now)
        }
        for warning in warnings {
            logger.warning("Redis is not set up for certainty", metadata: ["detail": "\(warning)"])
        }
        try await reconcileAll(reign, link)
        logger.info(
            "connected to Redis",
            metadata: [
                "version": "\(info.version ?? "unknown")", "run_id": "\(reign.runID.prefix(8))",
                "partitions": "\(partitions.count)",
            ])
        requestRound()
    }

    /// A few partitions at a time: each is a handful of round trips.
    private func reconcileAll(_ reign: Reign, _ link: any RedisLink) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, partition) in partitions.enumerated() {
                if index >= Self.maximumParallelSnapshots { try await group.next() }
                group.addTask { [self] in try await adopt(partition, reign, on: link) }
            }
            try await group.waitForAll()
        }
    }

    static let maximumParallelSnapshots = 16

    /// Brings one partition onto this connection. What Redis refuses is tried again at the next round: one partition's
    /// trouble (a slot on the move, a full disk) is not the others'.
    func adopt(_ partition: Partition, _ reign: Reign, on link: any RedisLink) async throws(RedisError) {
        try await attempt(driver.handle(.connected(reign), from: id(of: link), in: partition), in: partition, on: link)
    }

    /// Does what a feed asks for. Where Redis refuses, the partition stands on no connection until the next round takes it
    /// up again; any other failure is the connection's. So is READONLY: this is no primary any more, and where no partition is
    /// followed no poll would ever find that out.
    func attempt(_ action: FeedAction, in partition: Partition, on link: any RedisLink) async throws(RedisError) {
        do throws(RedisError) {
            try await perform(action, in: partition, on: link)
        } catch {
            switch error {
            case .server(_, let message) where message.hasPrefix("READONLY"): throw error
            case .server, .unexpectedReply:
                driver.leaveConnection(partition, only: id(of: link))
                logger.warning(
                    "a partition can't be followed",
                    metadata: ["partition": "\(partition.index)", "error": "\(error)"])
            case .unavailable, .timeout, .overloaded, .closed: throw error
            }
        }
    }

    func disconnected() {
        let ended = state.withLock { state in
            defer { state.connection = nil }
            return state.connection
        }
        guard let ended else { return }
        for partition in driver.partitions { driver.leaveConnection(partition, only: ended) }
    }

    /// The hook of the clients for `durability: "replica"`: they may write only to the primary that the feeds follow.
    func verifyDurable(_ link: any RedisLink) async throws {
        let info = RedisInfo(try await link.send(RedisCommand("INFO", [])).text(for: "INFO"))
        _ = await driver.surroundings.wait(upTo: driver.redisTimeout, every: .milliseconds(10)) { followedRunID != nil }
        guard info.role == "master", let runID = info.runID, runID == followedRunID else {
            throw ConnectionRefusal.notFollowed
        }
    }

    private var followedRunID: String? { state.withLock { $0.connection == nil ? nil : $0.runID } }

    private func checkCluster(_ info: RedisInfo, _ link: any RedisLink) async throws {
        let key = RedisArgument(driver.calls.keys.partitionCount)
        _ = try await link.send(
            RedisCommand("SET", [key, RedisArgument(String(driver.checks.partitionCount)), "NX"]))
        let stored = try await link.send(RedisCommand("GET", [key])).text(for: "GET partitions")
        try driver.checks.verify(info, stored: stored)
    }

    /// Redis may have lost this with everything else; a node of another count must still not start.
    func rememberPartitionCount() async {
        let count = RedisArgument(driver.checks.partitionCount)
        _ = try? await client.send(RedisCommand("SET", [RedisArgument(driver.calls.keys.partitionCount), count, "NX"]))
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
    private func splitBrainWarnings(_ info: RedisInfo, _ link: any RedisLink) async -> [String] {
        let failoverDelay = transport.failoverDelay
        guard info.connectedReplicas > 0 || failoverDelay != nil,
            let reply = try? await link.send(RedisCommand("CONFIG", ["GET", "min-replicas-*"])),
            let flat = try? reply.array(for: "CONFIG GET").map({ try $0.text(for: "CONFIG GET") })
        else { return [] }
        var settings: [String: Int] = [:]
        for index in stride(from: 0, to: flat.count - 1, by: 2) { settings[flat[index]] = Int(flat[index + 1]) }
        return SplitBrain(
            replicasToWrite: settings["min-replicas-to-write"], maximumLagSeconds: settings["min-replicas-max-lag"],
            failoverDelay: failoverDelay
        ).warnings
    }
}
