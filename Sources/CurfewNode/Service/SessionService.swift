// What a node does, one file a verb: Issue, Validate, Revoke, Permissions, Inventory, Cluster. This file holds what they share.

import CurfewCore
import CurfewRedis
import Logging
import Synchronization

/// The verbs of one node. Safe from any thread; nothing is kept between calls but what the partitions hold.
package final class SessionService: Sendable {
    /// For the fast path too.
    package let keyRing: KeyRing
    package let table: PartitionTable
    package let clock: NodeClock
    package let configuration: NodeConfiguration
    package let count: PartitionCount
    let driver: FeedDriver
    let reads: StandInReads
    /// For `durability: "replica"`.
    let durable: DurableLines
    let logger: Logger
    private let waitingWrites = Mutex(0)

    /// Writes that wait for a partition to be reconciled. Past it they fail at once.
    static let maximumWaitingWrites = 10_000

    package init(
        keyRing: KeyRing, table: PartitionTable, clock: NodeClock, configuration: NodeConfiguration,
        count: PartitionCount, driver: FeedDriver, durable: DurableLines, logger: Logger
    ) {
        self.keyRing = keyRing
        self.table = table
        self.clock = clock
        self.configuration = configuration
        self.count = count
        self.driver = driver
        self.durable = durable
        self.logger = logger
        reads = StandInReads(driver: driver)
    }

    var redis: RedisClient { driver.redis }
    var keys: StoreKeys { driver.calls.keys }

    /// Runs one call to Redis; its failures become the service's.
    func reach<Answer>(_ body: () async throws(RedisError) -> Answer) async throws(ServiceError) -> Answer {
        do {
            return try await body()
        } catch {
            throw ServiceError(error)
        }
    }

    /// Returns once this partition's chain is followed: in a new term nothing is written before everything that this node
    /// knew was re-asserted. Throws `redisUnavailable` at the deadline of a Redis call.
    func waitUntilWritable(_ partition: Partition) async throws(ServiceError) {
        guard !isWritable(partition) else { return }
        let isAdmitted = waitingWrites.withLock { waiting in
            guard waiting < Self.maximumWaitingWrites else { return false }
            waiting += 1
            return true
        }
        guard isAdmitted else { throw .overloaded(detail: "too many writes wait for Redis") }
        defer { waitingWrites.withLock { $0 -= 1 } }
        let deadline = clock.boot() + configuration.redisTimeout
        while clock.boot() < deadline {
            do { try await Task.sleep(for: .milliseconds(5)) } catch { break }
            if isWritable(partition) { return }
        }
        throw .redisUnavailable(
            detail: "partition \(partition.index) has no connection to Redis, or is still reconciling")
    }

    private func isWritable(_ partition: Partition) -> Bool {
        table.withPartition(partition) { $0.feed.phase == .following }
    }

    /// The partition of a session id, which must exist in this cluster.
    func partition(of session: SessionID) throws(ServiceError) -> Partition {
        guard session.partition.index < count.value else {
            throw .outOfRange(
                detail: "the session id names partition \(session.partition.index), this cluster has \(count.value)")
        }
        return session.partition
    }
}

extension ServiceError {
    init(_ error: RedisError) {
        switch error {
        case .overloaded: self = .overloaded(detail: "too many calls to Redis are waiting")
        case .unavailable, .timeout, .server, .unexpectedReply, .closed: self = .redisUnavailable(detail: "\(error)")
        }
    }
}
