// One partition's feed as a value: events in, one action out. It holds the pointer `applied` (never the content, which
// its driver applies whenever it hears it) and the one number that validation asks for, `freshAsOf`.
//
// Invariants: `applied` moves only along Redis' chain (I4); `freshAsOf` is the sending time of a poll that Redis
// answered with `same` and whose head was applied, sent after the newcomer's wait of its term (I1, I2).
// Phases and what may follow: PartitionFeed+Following.swift has the rows of `following`.

public struct PartitionFeed: Sendable {
    public let bounds: FeedBounds
    public internal(set) var phase = FeedPhase.disconnected
    /// The term whose chain is followed, or was last.
    public internal(set) var term: Term?
    /// The state behind an answer is at least as new as this moment.
    public internal(set) var freshAsOf = BootTime.distantPast
    /// Polls sent before this moment make nobody fresh: in a new term everyone is a newcomer.
    public internal(set) var newcomerUntil = BootTime.distantPast
    /// By the node's age (not by the time of `newcomerUntil`): when Redis' clock has passed every stamp of the terms before.
    private var stampsPassedAt = BootTime.distantPast
    /// When the first poll of this chain on this connection was answered; the fence's trust in membership counts from it.
    public internal(set) var watchedSince: BootTime?
    /// Terms that this node has joined.
    public internal(set) var termCount = 0
    /// The last event in Redis' log, as the last poll said.
    public internal(set) var head: LogPosition?
    /// Who else polls this partition.
    public internal(set) var membership = Membership()
    /// The highest stamp given or seen.
    public private(set) var mark = Stamp.zero
    /// The longest lifetime (s) of a token that anybody is known to have signed. Like the mark it survives lost data: tombstones
    /// are kept by it.
    public private(set) var longestTokenLifetime: Int64 = 0
    /// The longest Δ that any node was seen to have, this one included: what waits for another node to be stale goes by it. It
    /// survives lost data, and ends with the process.
    public private(set) var longestBounds: FeedBounds
    /// Redis' TIME at the last poll, which agreed with this node's clock unless `isClockSkewed`.
    public var redisTime: WallTime?
    /// Redis' clock and this node's differ by more than the skew bound, by the last poll: nothing is fresh.
    public var isClockSkewed = false
    /// How far Redis' clock and a node's may differ (s).
    public static let skewBoundSeconds: Int64 = 30
    /// How far ahead of a new term's clock stamps of the terms before may be: a cutoff reaches the skew bound ahead of the clock, and the
    /// clocks of two Redis, each off a node's by no more than that, differ by twice as much.
    static let longestStampLead: Duration = .seconds(3 * skewBoundSeconds)

    /// The connection that the feed stands on, or stood on last.
    public private(set) var connection: ConnectionID?
    var reign: Reign?
    var history: TagHistory?
    /// The poll whose head is being caught up with.
    public internal(set) var catchingUp: PollReply?
    /// Events heard that did not chain: re-asserted if a later poll finds that the log lacks them.
    var strays: [Event] = []
    /// More strays were heard than are kept: only a reconcile settles them.
    var hasStraysOverflowed = false
    /// A reconcile was begun and not finished: what it was to settle is settled by no poll.
    private var owesReconcile = false
    private var pendingHead: SnapshotHead?

    /// More strays than this and the snapshot is read again instead.
    static let maximumStrays = 64

    public init(bounds: FeedBounds) {
        self.bounds = bounds
        longestBounds = bounds
    }

    /// The last applied event; `nil` before the first snapshot.
    public var applied: LogPosition? { history?.newest }

    /// Whether an answer may come from memory at this moment.
    public func isFresh(at now: BootTime) -> Bool {
        now - freshAsOf <= bounds.staleness && !isClockSkewed
    }

    /// Whether this node's wall clock, read after the last poll, is known to be off. One that was set back since then is behind what
    /// Redis' clock already showed: what ran out must not live again, its tombstone may be forgotten.
    public func isClockOff(at wall: WallTime) -> Bool {
        guard !isClockSkewed, let redisTime else { return isClockSkewed }
        return redisTime.seconds > wall.seconds + Self.skewBoundSeconds
    }

    /// Whether a read of Redis sent at this moment may stand in for freshness. In a newcomer's wait it may not: it is
    /// Redis that may have forgotten.
    public func canReadThrough(at now: BootTime) -> Bool {
        phase == .following && now >= newcomerUntil && !isClockSkewed
    }

    /// Whether every stamp of the terms before is known here, or behind Redis' clock: a cutoff may then go by that clock and the mark.
    ///
    /// 1. Redis loses its data, fails over, and with it goes the mark, which a cutoff had raised. 2. The one node that knows it can't reach
    /// the new primary. 3. Another revokes a user there, past the newcomer's wait: by Redis' clock, that is below a token of the user's.
    public func isSettled(at now: BootTime, age: BootTime) -> Bool { now >= newcomerUntil && age >= stampsPassedAt }

    /// Whether this very event was applied, as far as the history reaches back.
    public func hasApplied(_ position: LogPosition) -> Bool { history?.contains(position) ?? false }

    /// Whether an answer from memory has everything up to this event, for who asked at `start`. Either the very tag was applied,
    /// or a poll sent since then made this node fresh, and
    /// - the number is older than what the history keeps: a chain that is followed has it behind it; or
    /// - this node has lived through a term's end: where Redis lost the event, what made the node fresh again is what was
    ///   re-asserted. Without that an event that this Redis does not have is none of its own, and never reached.
    ///
    /// 1. This node is fresh. 2. A revoke is answered, and lost with its term. 3. This node polls the next term's Redis, and everything
    /// is `same`: it is a newcomer there, since nobody has written the revoke again yet, and serves what the term before made fresh.
    public func reaches(_ position: LogPosition, since start: BootTime) -> Bool {
        guard let history else { return false }
        if history.contains(position) { return true }
        return freshAsOf >= start && (position.seq < history.oldestSeq || termCount > 1)
    }

    /// Raises the mark.
    public mutating func see(_ stamp: Stamp) { mark = max(mark, stamp) }

    /// Raises the longest token lifetime, in seconds.
    public mutating func see(tokenLifetime seconds: Int64) { longestTokenLifetime = max(longestTokenLifetime, seconds) }

    /// Raises the longest Δ.
    public mutating func see(_ members: [NodeID: MemberRecord]) {
        let longest = members.values.lazy.map(\.habit.staleness).max() ?? bounds.staleness
        if longest > longestBounds.staleness { longestBounds = FeedBounds(staleness: longest) }
    }

    /// What to do about an event that came over this connection.
    ///
    /// 1. A round is sent to primary A. 2. The connection ends, the feed reconciles with B. 3. A's answer is read. It speaks of
    /// another log, maybe of another reign: whatever comes over a connection that the feed no longer stands on changes
    /// nothing. Only `heard` needs none: its content is good wherever it comes from, its place is looked up.
    public mutating func handle(_ event: FeedEvent, from connection: ConnectionID? = nil) -> FeedAction {
        switch event {
        case .connected: self.connection = connection
        case .heard: break
        case .disconnected, .snapshotLoaded, .reasserted, .eventsReasserted, .polled, .logRead:
            guard connection == self.connection else { return .none }
        }
        return step(event)
    }

    /// The partition has another primary, or may have had one meanwhile. Whoever answers next, it is a new term.
    ///
    /// 1. A slot leaves primary A for B. 2. A revoke is fenced there, by waiting this node out. 3. B fails over, and loses it.
    /// 4. The slot returns to A: the same reign, the same incarnation, and its log is the one that this node knows.
    public mutating func leaveTerm() {
        _ = disconnected()
        term = nil
    }

    private mutating func step(_ event: FeedEvent) -> FeedAction {
        switch event {
        case .connected(let reign): connected(reign)
        case .disconnected: disconnected()
        case .heard(let event): heard(event)
        case .snapshotLoaded(let head, let lacked): snapshotLoaded(head, lacked: lacked)
        case .reasserted: reasserted()
        case .eventsReasserted(let positions): eventsReasserted(positions)
        case .polled(let reply): polled(reply)
        case .logRead(let links): logRead(links)
        }
    }

    private mutating func connected(_ reign: Reign) -> FeedAction {
        stopWatching()
        self.reign = reign
        // 1. Strays overflow, or a fork is seen: a reconcile begins, and nothing is kept beside it. 2. The connection drops.
        // 3. It is back, in the same reign. Whatever was heard and never logged is in this node's memory alone.
        if let term, term.reign == reign, history != nil, !owesReconcile, !hasStraysOverflowed {
            phase = .following
            return .poll
        }
        return loadAgain()
    }

    private mutating func disconnected() -> FeedAction {
        stopWatching()
        phase = .disconnected
        return .none
    }

    private mutating func snapshotLoaded(_ head: SnapshotHead, lacked: Bool) -> FeedAction {
        switch phase {
        case .disconnected, .reasserting, .following: return .none
        case .loading:
            pendingHead = head
            guard lacked else { return adopt() }
            phase = .reasserting
            return .reassert
        }
    }

    private mutating func reasserted() -> FeedAction {
        switch phase {
        case .disconnected, .loading, .following: return .none
        case .reasserting: return adopt()
        }
    }

    /// Takes over the chain whose head the snapshot read first.
    private mutating func adopt() -> FeedAction {
        guard let pendingHead, let reign else { preconditionFailure("a snapshot is adopted after it was loaded") }
        let term = Term(reign: reign, incarnation: pendingHead.incarnation)
        if term != self.term {
            // 1. A revoke was fenced by waiting node B out. 2. Redis loses it. 3. B polls the new primary and finds
            // everything `same`. Without this wait B would serve what the fence had promised to be dead; with it, every
            // living node that heard the revoke has re-asserted it by then, or is stale itself.
            newcomerUntil = pendingHead.readAt + longestBounds.patience
            stampsPassedAt = pendingHead.age + Self.longestStampLead
            termCount += 1
        }
        self.term = term
        history = TagHistory(startingAt: pendingHead.position)
        self.pendingHead = nil
        owesReconcile = false
        stopWatching()
        guard !hasStraysOverflowed else { return loadAgain() }
        phase = .following
        return .poll
    }

    /// The chain, the connection or the term changed: membership is learned anew.
    mutating func stopWatching() {
        watchedSince = nil
        membership = Membership()
        catchingUp = nil
    }

    /// Whatever was heard so far is in force here, so the reconcile that follows finds it; what is heard from now on may be
    /// too late for that, and is kept again.
    mutating func loadAgain() -> FeedAction {
        stopWatching()
        strays = []
        hasStraysOverflowed = false
        owesReconcile = true
        phase = .loading
        return .loadSnapshot
    }
}
