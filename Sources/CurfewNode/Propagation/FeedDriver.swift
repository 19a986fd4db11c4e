// Drives the feeds of all partitions: it does their I/O and nothing else. What it hears it applies at once under the
// partition's lock; what the feed asks for is done after the lock is gone.
//
// - FeedDriver+Connection.swift: what happens first on every connection (term, checks, reconcile)
// - FeedDriver+Round.swift: the poll rounds        - FeedDriver+Actions.swift: snapshot, log, re-assertion
// - Housekeeping.swift: what is forgotten when its time is over

import CurfewCore
import CurfewRedis
import Logging
import NIOCore
import Synchronization

package final class FeedDriver: Sendable {
    let table: PartitionTable
    let partitions: [Partition]
    let calls: ScriptCalls
    let clock: NodeClock
    let bounds: FeedBounds
    let pollInterval: Duration
    let redisTimeout: Duration
    let fences: FenceRegistry
    let checks: StartChecks
    /// The Redis of this node, the password masked.
    package let redisAddress: String
    let logger: Logger

    struct ConnectionState: Sendable {
        var tracker = ReignTracker()
        /// The connection whose first questions were answered, and its process.
        var generation: UInt64?
        var runID: String?
        var info: RedisInfo?
        var warnings: [String] = []
    }
    let connection = Mutex(ConnectionState())
    private let client = Mutex<RedisClient?>(nil)
    let wanted = Mutex<Wanted>(Wanted())
    let wakeups: AsyncStream<Void>
    let wake: AsyncStream<Void>.Continuation

    /// Work that was asked for from an event loop; bounded by the number of partitions.
    struct Wanted: Sendable {
        var polls: Set<Partition> = []
        var snapshots: Set<Partition> = []
    }

    package init(
        table: PartitionTable, count: PartitionCount, calls: ScriptCalls, configuration: NodeConfiguration,
        redisAddress: String, fences: FenceRegistry, checks: StartChecks, clock: NodeClock, logger: Logger
    ) {
        self.table = table
        partitions = count.all
        self.calls = calls
        self.clock = clock
        bounds = FeedBounds(staleness: configuration.stalenessBound)
        pollInterval = configuration.pollInterval
        redisTimeout = configuration.redisTimeout
        self.fences = fences
        self.checks = checks
        self.redisAddress = redisAddress
        self.logger = logger
        (wakeups, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// The client whose hooks lead here; set once, before it runs.
    package func attach(_ client: RedisClient) { self.client.withLock { $0 = client } }

    package var redis: RedisClient {
        guard let client = client.withLock({ $0 }) else { preconditionFailure("the driver's client is attached first") }
        return client
    }

    /// What a script call must bring.
    package func known(_ partition: Partition) -> ScriptCalls.Known {
        let now = clock.boot()
        return table.withPartition(partition) { slot in
            ScriptCalls.Known(
                mark: slot.feed.mark, incarnation: slot.feed.term?.incarnation,
                longestTokenLifetime: slot.feed.longestTokenLifetime,
                isTermYoung: now < slot.feed.newcomerUntil)
        }
    }

    /// An event that was heard, read in the log, or written by this node itself: applied, acknowledged, and told to the feed.
    package func hear(_ event: Event, in partition: Partition) {
        let action = table.withPartition(partition) { slot in
            apply(event, to: &slot, in: partition)
            return slot.feed.handle(.heard(event))
        }
        acknowledge(event, in: partition)
        if action == .loadSnapshot { fences.tell(.watchLost, to: partition) }
        advanced(partition)
        request(action, for: partition)
    }

    /// The content of an event is a join: applied whatever its place in the log.
    func apply(_ event: Event, to slot: inout PartitionSlot, in partition: Partition) {
        _ = slot.state.apply(event.change, until: event.until, partition: partition)
        if let stamp = event.change.stamp { slot.feed.see(stamp) }
    }

    /// Tells the node that waits for it. Only after the content is in force here.
    func acknowledge(_ event: Event, in partition: Partition) {
        guard let asker = event.asker, asker != calls.nodeID else { return }
        redis.publish(
            channel: calls.keys.acknowledgements(partition, to: asker),
            message: Array(
                Acknowledgement(
                    token: FenceToken(partition: partition, position: event.position), node: calls.nodeID
                ).text.utf8))
    }

    func handle(_ event: FeedEvent, in partition: Partition) -> FeedAction {
        let action = table.withPartition(partition) { $0.feed.handle(event) }
        // The membership that a fence relies on was watched on the chain and connection that just ended.
        if action == .loadSnapshot { fences.tell(.watchLost, to: partition) }
        advanced(partition)
        return action
    }

    /// Looks whether the chain now has what a fence waits for.
    package func advanced(_ partition: Partition) {
        guard fences.isWaiting(in: partition) else { return }
        let feed = table.withPartition(partition) { $0.feed }
        fences.chainAdvanced(in: partition) { feed.hasApplied($0) }
    }

    /// Hands work to the loop, from anywhere.
    func request(_ action: FeedAction, for partition: Partition) {
        switch action {
        case .none: return
        case .poll: wanted.withLock { _ = $0.polls.insert(partition) }
        case .loadSnapshot: wanted.withLock { _ = $0.snapshots.insert(partition) }
        case .reassert, .readLog, .reassertEvents:
            preconditionFailure("hearing an event asks for a poll or a snapshot, nothing else")
        }
        wake.yield()
    }

    /// Asks for a poll of this partition now.
    package func requestPoll(_ partition: Partition) { request(.poll, for: partition) }
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
