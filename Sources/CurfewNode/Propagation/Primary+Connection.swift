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
        try await checkServer(info, link)
        let warnings = await splitBrainWarnings(info, link) + evictionWarnings(info) + coverageWarnings(link)
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
        partitionsChanged()
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
        if isClusterMember {
            guard try await isOwnCluster(partition, link) else { return }
            if isSilent(partition) { driver.leaveTerm(partition) }
            noteContact(partition)
        }
        try await attempt(driver.handle(.connected(reign), from: id(of: link), in: partition), in: partition, on: link)
    }

    /// Not heard of for longer than a patience: its slot may have left and returned, and a fence that waited this node out
    /// may have been lost elsewhere.
    func isSilent(_ partition: Partition) -> Bool {
        guard isClusterMember else { return false }
        let now = driver.clock.boot()
        return state.withLock { state in
            state.contacts[partition].map { now - $0 > driver.bounds.patience } ?? true
        }
    }

    /// This primary has just answered for the partition, to what was sent at `moment`.
    func noteContact(_ partition: Partition, at moment: BootTime? = nil) {
        guard isClusterMember else { return }
        let moment = moment ?? driver.clock.boot()
        state.withLock { $0.contacts[partition] = max($0.contacts[partition] ?? moment, moment) }
    }

    /// Does what a feed asks for. Where Redis refuses, the partition stands on no connection until the next round takes it
    /// up again; any other failure is the connection's. So is READONLY: this is no primary any more, and where no partition is
    /// followed no poll would ever find that out.
    func attempt(_ action: FeedAction, in partition: Partition, on link: any RedisLink) async throws(RedisError) {
        do throws(RedisError) {
            try await perform(action, in: partition, on: link)
            noteContact(partition)
            state.withLock { $0.refusals[partition] = nil }
        } catch {
            switch error {
            case .server(_, let message) where message.hasPrefix("READONLY"): throw error
            case .server, .unproven, .unexpectedReply:
                driver.leaveConnection(partition, only: id(of: link))
                refused(partition, error)
            case .unavailable, .timeout, .overloaded, .closed: throw error
            }
        }
    }

    /// Where a slot has left, it was away, whatever this primary answers next.
    func redirected(_ redirect: Redirect, _ partition: Partition) {
        if case .moved = redirect, driver.primary(of: partition) === self { driver.leaveTerm(partition) }
        driver.redirected(redirect, partition)
    }

    func disconnected() {
        let ended = state.withLock { state in
            defer { state.connection = nil }
            return state.connection
        }
        if isClusterMember { driver.routeRequests.request() }
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

    private func checkServer(_ info: RedisInfo, _ link: any RedisLink) async throws {
        if isClusterMember { return try driver.checks.verify(info) }
        let stored = try await partitionCount(at: driver.calls.keys.partitionCount, link)
        try driver.checks.verify(info)
        try driver.checks.verify(stored: stored)
    }

    /// In a cluster each partition has the count beside it: whatever part of the cluster is up can be checked, and is.
    private func isOwnCluster(_ partition: Partition, _ link: any RedisLink) async throws(RedisError) -> Bool {
        let stored: String
        do throws(RedisError) {
            stored = try await partitionCount(at: driver.calls.keys.partitionCount(partition), link)
        } catch {
            switch error {
            case .server, .unproven, .unexpectedReply:
                refused(partition, error)
                return false
            case .unavailable, .timeout, .overloaded, .closed: throw error
            }
        }
        do throws(StartError) {
            try driver.checks.verify(stored: stored, of: partition)
            return true
        } catch {
            refused(partition, error)
            return false
        }
    }

    /// A partition can't be followed for now; the next round tries again. The same reason is a warning once.
    private func refused(_ partition: Partition, _ error: some Error) {
        if let error = error as? RedisError, let redirect = Redirect(error) { redirected(redirect, partition) }
        let reason = "\(error)"
        let isNew = state.withLock { state in
            defer { state.refusals[partition] = reason }
            return state.refusals[partition] != reason
        }
        logger.log(
            level: isNew ? .warning : .debug, "a partition can't be followed",
            metadata: ["partition": "\(partition.index)", "error": "\(reason)"])
    }

    private func partitionCount(at key: String, _ link: any RedisLink) async throws(RedisError) -> String {
        let key = RedisArgument(key)
        _ = try await link.send(
            RedisCommand("SET", [key, RedisArgument(String(driver.checks.partitionCount)), "NX"]))
        return try await link.send(RedisCommand("GET", [key])).text(for: "GET partitions")
    }

    /// Redis may have lost this with everything else; a node of another count must still not start.
    func rememberPartitionCount() async {
        let keys = driver.calls.keys
        let names = isClusterMember ? partitions.map { keys.partitionCount($0) } : [keys.partitionCount]
        let count = RedisArgument(driver.checks.partitionCount)
        _ = try? await client.pipeline(names.map { RedisCommand("SET", [RedisArgument($0), count, "NX"]) })
    }

    /// Records and indexes have a time to live, the revocation list has none.
    private func evictionWarnings(_ info: RedisInfo) -> [String] {
        guard let policy = info.maxmemoryPolicy, policy != "noeviction" else { return [] }
        return [
            "maxmemory-policy \(policy) may evict session records and users' indexes: a revoke by device, or of all but one "
                + "session, misses a session whose place in the index was evicted"
        ]
    }

    private func coverageWarnings(_ link: any RedisLink) async -> [String] {
        guard isClusterMember, await setting("cluster-require-full-coverage", link) == "yes" else { return [] }
        return [
            "cluster-require-full-coverage is yes: where one primary and its replicas are down, all others refuse, too"
        ]
    }

    /// What this topology can't exclude. CONFIG may be forbidden; then nothing can be said.
    private func splitBrainWarnings(_ info: RedisInfo, _ link: any RedisLink) async -> [String] {
        let failoverDelay = isClusterMember ? await clusterNodeTimeout(link) : transport.failoverDelay
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

    /// After which the members of a Redis Cluster think of replacing a primary that is silent.
    private func clusterNodeTimeout(_ link: any RedisLink) async -> Duration? {
        await setting("cluster-node-timeout", link).flatMap { Int64($0) }.map { .milliseconds($0) }
    }

    /// `nil` where CONFIG is forbidden, or the server has no such setting.
    private func setting(_ name: String, _ link: any RedisLink) async -> String? {
        guard let reply = try? await link.send(RedisCommand("CONFIG", ["GET", RedisArgument(name)])) else { return nil }
        return try? reply.array(for: "CONFIG GET").last?.text(for: "CONFIG GET")
    }
}
