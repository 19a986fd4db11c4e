// One change in one partition, from the script to the end of its fence. The same for every target of a revoke and for
// permissions: what differs is the call.

import CurfewCore
import CurfewRedis

/// What came of a change in one partition.
struct PartitionOutcome: Sendable {
    var token: FenceToken
    var revoked: Int
    var stamp: Stamp
    var propagation: PropagationState
    /// Who was waited for, and who of them had applied it; this node is in both.
    var waitedFor: Set<NodeID>
    var acknowledged: Set<NodeID>
    var replicas: Int?
}

extension SessionService {
    /// Runs a change. It is whole or absent; where this throws `redisUnavailable`, the same change again completes it.
    /// `user`: whose sessions it ends, where it is one user's.
    func change(
        in partition: Partition, operation: String, of user: UserID? = nil, options: ChangeOptions,
        startedAt: BootTime,
        call: (ScriptCalls.Known) -> RedisScriptCall
    ) async throws(ServiceError) -> PartitionOutcome {
        if options.waitsForCluster, driver.fences.count >= FenceRegistry.maximumWaiting {
            throw .overloaded(detail: "too many changes wait for the cluster")
        }
        let (sent, reply) = try await send(to: partition) { followed throws(RedisError) in
            let call = call(driver.known(partition))
            let sent =
                options.waitsForReplica
                ? try await runDurably(call, options, partition, at: followed.primary)
                : try await run(call, options, partition, on: followed)
            return (sent, try ChangeReply(sent.reply, operation: operation))
        }
        for event in reply.events { driver.hear(event, in: partition) }
        async let forgotten: Void = forget(reply.ended, of: user, in: partition)
        var outcome = PartitionOutcome(
            token: FenceToken(partition: partition, position: reply.head), revoked: reply.revoked, stamp: reply.stamp,
            propagation: .published, waitedFor: [driver.calls.nodeID], acknowledged: [driver.calls.nodeID],
            replicas: sent.replicas)
        guard options.waitsForCluster else {
            await forgotten
            return outcome
        }
        let givesUpAt = options.timeoutMilliseconds.map { startedAt + .milliseconds($0) }
        outcome.propagation = .acknowledged
        for event in reply.events {
            let fence = fence(event.position, reply, sent, givesUpAt, in: partition)
            outcome.join(
                await driver.fences.wait(
                    for: fence, in: partition,
                    isWatched: { table.withPartition(partition) { $0.feed.watchedSince == fence.watchedSince } },
                    registered: { driver.advanced(partition) }))
        }
        await forgotten
        return outcome
    }

    private func fence(
        _ position: LogPosition, _ reply: ChangeReply, _ sent: SentChange, _ givesUpAt: BootTime?,
        in partition: Partition
    ) -> Fence {
        var members = reply.members
        members[driver.calls.nodeID] = nil
        let staleServers = Set(members.filter(\.value.servesStale).keys)
        return table.withPartition(partition) { slot in
            slot.feed.see(reply.members)
            // 1. FLUSHALL leaves connection and run id as they were. 2. This script was the first in the new log: its
            // members are whoever polled since. So membership counts only in the incarnation that was watched.
            // A membership that lacks this very node, which polls, is none.
            let isWatchedChain =
                sent.isReignFollowed && sent.connection.map { $0 == slot.feed.connection } ?? true
                && slot.feed.term?.incarnation == reply.incarnation
                && reply.members[driver.calls.nodeID] != nil
            return Fence(
                position: position,
                waitedFor: slot.feed.membership.possiblyServing(
                    of: members, at: sent.at, patience: slot.feed.longestBounds.patience),
                staleServers: staleServers, watchedSince: isWatchedChain ? slot.feed.watchedSince : nil,
                isReignFollowed: sent.isReignFollowed, sentAt: sent.at, repliedAt: sent.repliedAt,
                bounds: slot.feed.longestBounds, givesUpAt: givesUpAt)
        }
    }

    /// Deletes the records of ended sessions, and their places in the index. Not part of the change: nothing reads a record of a
    /// session that the revocation list or a cutoff ends, and what is left behind stands first in the sweeper's queue.
    private func forget(_ ended: [IndexMember], of user: UserID?, in partition: Partition) async {
        guard !ended.isEmpty, let primary = driver.primary(of: partition) else { return }
        // One after the other: what else waits for that Redis comes in between.
        for first in stride(from: 0, to: ended.count, by: FeedDriver.expiryBatch) {
            let batch = ended[first..<min(first + FeedDriver.expiryBatch, ended.count)]
            let call = driver.calls.expire(
                batch.map { ($0.session, user, $0.device) }, in: partition, driver.known(partition))
            guard (try? await primary.client.run(call)) != nil else { return }
        }
    }

    /// One reply, and what is known of the Redis that gave it.
    private struct SentChange: Sendable {
        let reply: RedisValue
        let at: BootTime
        let repliedAt: BootTime
        var replicas: Int?
        /// The connection of the feed that it came over; `nil` for one beside it, to the same process.
        var connection: ConnectionID?
        /// It came in the reign whose members the feed has watched.
        var isReignFollowed = false
    }

    private func run(
        _ call: RedisScriptCall, _ options: ChangeOptions, _ partition: Partition, on followed: FollowedLink
    ) async throws(RedisError) -> SentChange {
        let at = clock.boot()
        let replies = try await followed.link.evaluateAll(
            [call], then: [WriteProbe.command(keys, partition)] + (options.waitsForCluster ? [Primary.askReign] : []))
        guard replies.count >= 2 else { throw .unexpectedReply(operation: "change", expected: "two replies") }
        let reply = try replies[0].checked(for: "change")
        try WriteProbe.verify(replies[1])
        guard options.waitsForCluster else { return SentChange(reply: reply, at: at, repliedAt: clock.boot()) }
        return SentChange(
            reply: reply, at: at, repliedAt: clock.boot(), connection: followed.id,
            isReignFollowed: followed.primary.isSameReign(replies[2...], over: followed.id, in: partition))
    }

    /// WAIT counts the writes of its own connection only, so it follows the script on it with nothing between.
    /// It may be another connection than the feed's, so INFO names the process too.
    private func runDurably(
        _ call: RedisScriptCall, _ options: ChangeOptions, _ partition: Partition, at primary: Primary
    ) async throws(RedisError) -> SentChange {
        let limit = configuration.redisTimeout.wholeMilliseconds / 2
        let milliseconds = max(1, min(options.timeoutMilliseconds ?? limit, limit))
        return try await primary.durable.run(deadline: configuration.redisTimeout) { client throws(RedisError) in
            let at = clock.boot()
            let replies = try await client.evaluateAll(
                [call],
                then: [
                    RedisCommand("WAIT", ["1", RedisArgument(milliseconds)]), RedisCommand("INFO", ["server"]),
                    Primary.askReign, WriteProbe.command(keys, partition),
                ], timeout: configuration.redisTimeout)
            guard replies.count == 5 else { throw .unexpectedReply(operation: "WAIT", expected: "five replies") }
            let reply = try replies[0].checked(for: "change")
            try WriteProbe.verify(replies[4])
            return SentChange(
                reply: reply, at: at, repliedAt: clock.boot(),
                replicas: Int(try replies[1].integer(for: "WAIT")),
                isReignFollowed: primary.isSameReign(replies[2...3], over: nil, in: partition))
        }
    }
}

extension PartitionOutcome {
    /// Adds one fence: the least that is true of all of them.
    fileprivate mutating func join(_ fence: Fence) {
        guard let outcome = fence.outcome else { preconditionFailure("a fence is waited for until it has an outcome") }
        waitedFor.formUnion(fence.waitedFor)
        acknowledged.formUnion(fence.acknowledged)
        acknowledged.subtract(fence.waitedFor.subtracting(fence.acknowledged))
        propagation = propagation.joined(with: PropagationState(outcome))
    }
}

extension PropagationState {
    init(_ outcome: FenceOutcome) {
        switch outcome {
        case .acknowledged: self = .acknowledged
        case .fenced: self = .fenced
        case .pending: self = .pending
        }
    }

    private var strength: Int {
        switch self {
        case .pending: 0
        case .published: 1
        case .fenced: 2
        case .acknowledged: 3
        }
    }

    /// The weaker of the two.
    func joined(with other: PropagationState) -> PropagationState { strength <= other.strength ? self : other }
}
