// What a node does, one file a verb: Issue, Validate, Revoke, Permissions, Inventory, Cluster. This file holds what they share.

import CurfewCore
import CurfewRedis
import Logging
import Synchronization

/// The verbs of one node. Safe from any thread; nothing is kept between calls but what the partitions hold.
package final class SessionService: Sendable {
    /// For the fast path too.
    package let currentKeyRing: CurrentKeyRing
    package let table: PartitionTable
    package let clock: NodeClock
    package let configuration: NodeConfiguration
    package let count: PartitionCount
    let driver: FeedDriver
    let reads: StandInReads
    let auditReaders = AuditReaders()
    let mismatches = ToldMismatches()
    let renewals = RecentRenewals()
    let logger: Logger
    private let waitingWrites = Mutex(0)

    /// Writes that wait for a partition to be reconciled. Past it they fail at once.
    static let maximumWaitingWrites = 10_000

    package init(
        keyRing: KeyRing, table: PartitionTable, clock: NodeClock, configuration: NodeConfiguration,
        driver: FeedDriver, logger: Logger
    ) {
        currentKeyRing = CurrentKeyRing(keyRing)
        self.table = table
        self.clock = clock
        self.configuration = configuration
        count = table.count
        self.driver = driver
        self.logger = logger
        reads = StandInReads(driver: driver)
    }

    /// As it is now: what needs it twice for one answer keeps it.
    package var keyRing: KeyRing { currentKeyRing.value }

    /// What a browser sends back beside its cookie.
    func crossSiteToken(of session: SessionID) -> String {
        keyRing.crossSiteToken(of: session, at: clock.wall())
    }

    var surroundings: any Surroundings { driver.surroundings }
    var keys: StoreKeys { driver.calls.keys }

    /// Tells whoever keeps account of what happens. Never waits, never fails.
    package func record(_ entry: AuditEntry) { driver.record(entry) }

    /// Whether this node's clock is known to be off, by a partition's Redis.
    func isClockOff(for partition: Partition) -> Bool {
        let wall = clock.wall()
        return table.withPartition(partition) { $0.feed.isClockOff(at: wall) }
    }

    /// Runs a call at the primary that a partition is followed at. Where the answer is that its slot has left or is on the
    /// move, nothing was run: the call is made again, for as long as one may take.
    func send<Answer>(
        to partition: Partition, _ call: (FollowedLink) async throws(RedisError) -> Answer
    ) async throws(ServiceError) -> Answer {
        let end = surroundings.uptime + configuration.redisTimeout
        return try await routed(partition, until: end) { () throws(ServiceError) in
            try await writableLink(of: partition, until: end)
        } call: { followed throws(RedisError) in
            try await call(followed)
        }
    }

    /// The same for reads that prove nothing about freshness: any connection to the primary will do.
    func read<Answer>(
        from partition: Partition, _ call: (RedisClient) async throws(RedisError) -> Answer
    ) async throws(ServiceError) -> Answer {
        try await routed(partition, until: surroundings.uptime + configuration.redisTimeout) {
            () throws(ServiceError) in
            guard let primary = driver.primary(of: partition) else {
                throw .redisUnavailable(detail: "no primary is known to have partition \(partition.index)")
            }
            return primary.client
        } call: { client throws(RedisError) in
            try await call(client)
        }
    }

    private func routed<Way, Answer>(
        _ partition: Partition, until end: Duration, way: () async throws(ServiceError) -> Way,
        call: (Way) async throws(RedisError) -> Answer
    ) async throws(ServiceError) -> Answer {
        while true {
            let way = try await way()
            do throws(RedisError) {
                return try await call(way)
            } catch {
                guard let redirect = Redirect(error), surroundings.uptime < end else { throw ServiceError(error) }
                driver.redirected(redirect, partition)
                guard (try? await surroundings.sleep(for: Self.redirectPause)) != nil else { throw ServiceError(error) }
            }
        }
    }

    /// Between two tries of a call whose slot is elsewhere or on the move.
    private static let redirectPause = Duration.milliseconds(20)

    /// The connection for a change in this partition, once its chain is followed there: in a new term nothing is written
    /// before everything that this node knew was re-asserted. Throws `redisUnavailable` at `end`.
    func writableLink(of partition: Partition, until end: Duration) async throws(ServiceError) -> FollowedLink {
        if let link = try? driver.link(of: partition, for: "write") { return link }
        let isAdmitted = waitingWrites.withLock { waiting in
            guard waiting < Self.maximumWaitingWrites else { return false }
            waiting += 1
            return true
        }
        guard isAdmitted else { throw .overloaded(detail: "too many writes wait for Redis") }
        defer { waitingWrites.withLock { $0 -= 1 } }
        var link: FollowedLink?
        _ = await surroundings.wait(upTo: end - surroundings.uptime, every: .milliseconds(5)) {
            link = try? driver.link(of: partition, for: "write")
            return link != nil
        }
        if let link { return link }
        throw .redisUnavailable(
            detail: "partition \(partition.index) has no connection to Redis, or is still reconciling")
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
        case .unavailable, .timeout, .server, .unproven, .unexpectedReply, .closed:
            self = .redisUnavailable(detail: "\(error)")
        }
    }
}
