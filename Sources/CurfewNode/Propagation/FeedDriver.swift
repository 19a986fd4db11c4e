// The feeds of all partitions of a node, and which primary each of them is followed at. What is heard is applied at once under
// the partition's lock; what a feed asks for is done by its primary, after the lock is gone.
//
// - Primary.swift and its extensions: connection, poll rounds, snapshots, re-assertion; all I/O is there
// - EventListener.swift: pub/sub        - Housekeeping.swift: what ends or is forgotten when its time is over
// - Activity.swift: when sessions were used last

import CurfewCore
import CurfewRedis
import Logging
import Synchronization

package final class FeedDriver: Sendable {
    let table: PartitionTable
    let partitions: [Partition]
    let calls: ScriptCalls
    let clock: NodeClock
    let surroundings: any Surroundings
    let bounds: FeedBounds
    let pollInterval: Duration
    let redisTimeout: Duration
    let fences: FenceRegistry
    let checks: StartChecks
    /// Devices that want to hear of their sessions.
    package let streams: EventStreams
    /// When sessions were used last.
    let activity: Activity
    /// How often that is told to Redis.
    let activityInterval: Duration
    let activityTurn: Duration
    let logger: Logger
    /// What this node counts.
    package let metrics = NodeMetrics()

    let audit: AuditLog?
    let auditStream: AuditStream?

    /// Tells whoever keeps account of what happens. Never waits, never fails.
    func record(_ entry: AuditEntry) {
        metrics.count(entry)
        audit?.record(entry)
        auditStream?.record(entry)
    }

    /// By partition; `nil` while nobody is known to have it.
    private let primaries: Mutex<[Primary?]>
    /// Every primary that is to be run, as it comes.
    let opened: AsyncStream<Primary>
    private let opening: AsyncStream<Primary>.Continuation
    /// For who keeps the map of a Redis Cluster.
    let routeRequests = RouteRequests()

    package init(
        table: PartitionTable, calls: ScriptCalls, configuration: NodeConfiguration, checks: StartChecks,
        surroundings: any Surroundings, clock: NodeClock, audit: AuditLog?,
        auditStream: AuditStream?, logger: Logger
    ) {
        self.audit = audit
        self.auditStream = auditStream
        self.table = table
        partitions = table.count.all
        self.calls = calls
        self.clock = clock
        self.surroundings = surroundings
        bounds = FeedBounds(staleness: configuration.stalenessBound)
        pollInterval = configuration.pollInterval
        streams = EventStreams(maximum: configuration.limits.maximumEventStreams)
        activity = Activity(count: table.count)
        activityInterval = configuration.activityInterval
        activityTurn = configuration.activityTurn
        redisTimeout = configuration.redisTimeout
        fences = FenceRegistry(surroundings: surroundings, clock: clock)
        self.checks = checks
        self.logger = logger
        primaries = Mutex(Array(repeating: nil, count: partitions.count))
        (opened, opening) = AsyncStream.makeStream()
    }

    /// Who has this partition now.
    package func primary(of partition: Partition) -> Primary? {
        primaries.withLock { $0[Int(partition.index)] }
    }

    /// All that have a partition, each once.
    package var allPrimaries: [Primary] {
        primaries.withLock { primaries in
            var seen: Set<Int> = []
            return primaries.compactMap(\.self).filter { seen.insert($0.number).inserted }
        }
    }

    /// The partitions that this primary has now.
    func partitions(of primary: Primary) -> [Partition] {
        primaries.withLock { primaries in
            zip(partitions, primaries).compactMap { partition, owner in owner === primary ? partition : nil }
        }
    }

    /// Has this primary run, from now on until it is stopped.
    package func open(_ primary: Primary) { opening.yield(primary) }

    /// Moves a partition. It is stale until it was reconciled there: another primary is another term.
    package func assign(_ partition: Partition, to primary: Primary?) {
        let former = primaries.withLock { primaries in
            defer { primaries[Int(partition.index)] = primary }
            return primaries[Int(partition.index)]
        }
        guard former !== primary else { return }
        leaveTerm(partition)
        former?.partitionsChanged()
        primary?.partitionsChanged()
        primary?.request(.poll, for: partition)
    }

    /// One primary has every partition: a single Redis, or the one that Sentinel names.
    package func follow(_ primary: Primary) {
        for partition in partitions { assign(partition, to: primary) }
        open(primary)
    }

    /// The connection that this partition's feed stands on, reconciled: the only one that a change may be sent on. In a new
    /// term nothing is written before everything that this node knew was re-asserted.
    func link(of partition: Partition, for operation: String) throws(RedisError) -> FollowedLink {
        guard let primary = primary(of: partition) else {
            throw .unavailable(operation: operation, reason: "no primary is known to have partition \(partition.index)")
        }
        guard let link = primary.client.connection else {
            throw .unavailable(operation: operation, reason: primary.client.reason)
        }
        let followed = FollowedLink(primary: primary, link: link)
        let isFollowed = table.withPartition(partition) { slot in
            slot.feed.phase == .following && slot.feed.connection == followed.id
        }
        guard isFollowed, !primary.isSilent(partition) else {
            throw .unavailable(operation: operation, reason: "partition \(partition.index) is still reconciling")
        }
        return followed
    }

    /// What a script call must bring.
    package func known(_ partition: Partition) -> ScriptCalls.Known {
        let (now, age, wall) = (clock.boot(), clock.age(), clock.wall())
        let primary = primary(of: partition)
        let tracker = primary?.state.withLock { $0.tracker }
        return table.withPartition(partition) { slot in
            let isSettled = slot.feed.isSettled(at: now, age: age) && slot.feed.term?.reign == tracker?.current
            return ScriptCalls.Known(
                mark: slot.feed.mark, incarnation: slot.feed.term?.incarnation,
                longestTokenLifetime: slot.feed.longestTokenLifetime,
                settledHistory: isSettled ? tracker?.replicationID : nil, wall: wall,
                pubSub: primary?.pubSub ?? .ordinary)
        }
    }

    /// An event that was heard or written by this node itself: applied, told to the feed, and acknowledged.
    package func hear(_ event: Event, in partition: Partition) {
        let action = table.withPartition(partition) { slot in
            apply(event, to: &slot, in: partition)
            return slot.feed.handle(.heard(event))
        }
        streams.tell(event, in: partition)
        acknowledge([event], in: partition)
        noted(action, in: partition)
        primary(of: partition)?.request(action, for: partition)
    }

    /// The content of an event is a join: applied whatever its place in the log.
    func apply(_ event: Event, to slot: inout PartitionSlot, in partition: Partition) {
        _ = slot.state.apply(event.change, until: event.until, partition: partition, unheardAt: slot.feed.freshAsOf)
        if let stamp = event.change.stamp { slot.feed.see(stamp) }
    }

    /// Tells the nodes that wait for these events, once each stands in this node's chain.
    ///
    /// 1. A user's sessions are ended, and the message is lost on its way to this node. 2. Another node ends one device of that
    /// user, and waits: nothing is left to end, so its event names no session. 3. This node hears that event. Its content is in
    /// force here, what it relies on is not: only the chain says that nothing before it is missing.
    func acknowledge(_ events: some Sequence<Event>, in partition: Partition) {
        let asked = events.filter { $0.asker.map { $0 != calls.nodeID } ?? false }
        guard !asked.isEmpty, let primary = primary(of: partition) else { return }
        let chained = table.withPartition(partition) { slot in asked.filter { slot.feed.hasApplied($0.position) } }
        for event in chained {
            guard let asker = event.asker else { continue }
            let token = FenceToken(partition: partition, position: event.position)
            primary.client.publish(
                channel: calls.keys.acknowledgements(partition, to: asker),
                message: Array(Acknowledgement(token: token, node: calls.nodeID).text.utf8), primary.pubSub ?? .ordinary
            )
        }
    }

    /// What came over a connection, told to the feed.
    func handle(_ event: FeedEvent, from connection: ConnectionID, in partition: Partition) -> FeedAction {
        let action = table.withPartition(partition) { $0.feed.handle(event, from: connection) }
        noted(action, in: partition)
        return action
    }

    /// The connection of this partition's feed ended, or another primary has the partition.
    func leaveConnection(_ partition: Partition, only connection: ConnectionID? = nil) {
        table.withPartition(partition) { slot in
            guard let current = slot.feed.connection, connection == nil || connection == current else { return }
            _ = slot.feed.handle(.disconnected, from: current)
        }
        fences.tell(.watchLost, to: partition)
    }

    /// The partition has another primary, or may have had one: see `PartitionFeed.leaveTerm`.
    func leaveTerm(_ partition: Partition) {
        table.withPartition(partition) { $0.feed.leaveTerm() }
        fences.tell(.watchLost, to: partition)
    }

    /// A call was not run, for the sake of the cluster's slots.
    func redirected(_ redirect: Redirect, _ partition: Partition) {
        switch redirect {
        case .moved, .clusterDown: routeRequests.request()
        // The slot is on the move. Nothing is to be done before it has arrived, which MOVED will say.
        case .ask, .tryAgain: break
        }
    }

    private func noted(_ action: FeedAction, in partition: Partition) {
        // The membership that a fence relies on was watched on the chain and connection that just ended.
        if action == .loadSnapshot { fences.tell(.watchLost, to: partition) }
        advanced(partition)
    }

    /// Looks whether the chain now has what a fence waits for.
    package func advanced(_ partition: Partition) {
        guard fences.isWaiting(in: partition) else { return }
        let feed = table.withPartition(partition) { $0.feed }
        fences.chainAdvanced(in: partition) { feed.hasApplied($0) }
    }

    /// How long a fence may take that waits every other node out.
    var longestWait: Duration {
        partitions.reduce(.zero) { longest, partition in
            max(longest, table.withPartition(partition) { $0.feed.longestBounds.patience * 2 })
        }
    }

    /// Asks for a poll of this partition now.
    package func requestPoll(_ partition: Partition) { primary(of: partition)?.request(.poll, for: partition) }
}

/// A connection that a partition is followed on, and whose it is.
struct FollowedLink: Sendable {
    let primary: Primary
    let link: any RedisLink

    var id: ConnectionID { primary.id(of: link) }
}

/// What a node tells the asker of an event: the fence token and its own id, separated by a tab.
struct Acknowledgement: Equatable {
    let token: FenceToken
    let node: NodeID

    var text: String { "\(token)\t\(node)" }

    init(token: FenceToken, node: NodeID) {
        self.token = token
        self.node = node
    }

    init?(_ text: String) {
        let parts = text.split(separator: "\t", omittingEmptySubsequences: false)
        guard parts.count == 2, let token = FenceToken(parts[0]), let node = NodeID(parts[1]) else { return nil }
        self.init(token: token, node: node)
    }
}
