// The words that a partition's feed and its driver exchange: bounds, terms, what came in, what to do next.
// All of it is data; the driver does the I/O, the clock is an argument.

/// Δ and what is added to it where a clock's drift must not matter.
public struct FeedBounds: Hashable, Sendable {
    /// Δ: no answer comes from a state older than this.
    public let staleness: Duration

    public init(staleness: Duration) {
        precondition(staleness > .zero, "the staleness bound must be positive")
        self.staleness = staleness
    }

    /// 1 % of Δ and 10 ms, for clocks that run at slightly different speeds.
    public var margin: Duration { staleness / 100 + .milliseconds(10) }
    /// After this long, whoever has not completed a poll is stale on its own clock.
    public var patience: Duration { staleness + margin }
}

/// One primary's unbroken reign: its process and its replication history.
public struct Reign: Hashable, Sendable {
    public let runID: String
    public let replicationID: String

    public init(runID: String, replicationID: String) {
        self.runID = runID
        self.replicationID = replicationID
    }
}

/// A reign over one log. A new term may have lost writes that the old one acknowledged.
public struct Term: Hashable, Sendable {
    public let reign: Reign
    /// Written when the log was created; changes when Redis lost its data.
    public let incarnation: String

    public init(reign: Reign, incarnation: String) {
        self.reign = reign
        self.incarnation = incarnation
    }
}

/// What Redis said of the entry that a poll named.
public enum ChainVerdict: String, Hashable, Sendable {
    /// Its log has that very entry.
    case same
    /// It has another one there, or none yet: this is not the node's chain.
    case fork
    /// Its log no longer reaches back that far.
    case trimmed
}

/// One poll's reply, with when it was sent.
public struct PollReply: Hashable, Sendable {
    /// The node's clock before sending: all that this poll can prove is fresh as of then.
    public let sentAt: BootTime
    public let repliedAt: BootTime
    /// From the same pipelined round, asked after the poll.
    public let reign: Reign
    public let incarnation: String
    public let verdict: ChainVerdict
    /// The last event in Redis' log.
    public let head: LogPosition
    /// Everybody who polls this partition, this node included.
    public let members: [NodeID: MemberRecord]

    public init(
        sentAt: BootTime, repliedAt: BootTime, reign: Reign, incarnation: String, verdict: ChainVerdict,
        head: LogPosition, members: [NodeID: MemberRecord] = [:]
    ) {
        self.sentAt = sentAt
        self.repliedAt = repliedAt
        self.reign = reign
        self.incarnation = incarnation
        self.verdict = verdict
        self.head = head
        self.members = members
    }
}

/// An entry's place in the chain, without its content (which is applied whenever it is heard).
public struct ChainLink: Hashable, Sendable {
    public let position: LogPosition
    public let previous: EventTag

    public init(position: LogPosition, previous: EventTag) {
        self.position = position
        self.previous = previous
    }
}

/// One connection to one primary: every answer that came over it counts as long as the feed stands on it.
public struct ConnectionID: Hashable, Sendable {
    /// Which primary, by this node's own count.
    public let primary: Int
    /// Which connection to it; counts up.
    public let generation: UInt64

    public init(primary: Int, generation: UInt64) {
        self.primary = primary
        self.generation = generation
    }
}

/// The head of a partition, as a snapshot begins with it.
public struct SnapshotHead: Hashable, Sendable {
    /// The last event in Redis' log.
    public let position: LogPosition
    public let incarnation: String
    /// The node's clock behind the reply.
    public let readAt: BootTime
    /// The same moment by the node's age: how far Redis' clock has come since then is told by it.
    public let age: BootTime

    public init(position: LogPosition, incarnation: String, readAt: BootTime, age: BootTime) {
        self.position = position
        self.incarnation = incarnation
        self.readAt = readAt
        self.age = age
    }
}

/// What happens to a partition's feed.
public enum FeedEvent: Hashable, Sendable {
    /// A connection to a primary stands, and this is whose reign it is.
    case connected(Reign)
    /// The connection is gone, or the partition has moved to another primary.
    case disconnected
    /// An event came over pub/sub, or as the reply to a write of this node's own.
    case heard(Event)
    /// The snapshot is in memory, its head was read first; `lacked` says whether this node knew something that the snapshot did
    /// not have.
    case snapshotLoaded(SnapshotHead, lacked: Bool)
    /// What the snapshot lacked is written.
    case reasserted
    /// These events, which the log lacked, are written again.
    case eventsReasserted([LogPosition])
    case polled(PollReply)
    /// Log entries, beginning with the one that was applied when they were asked for.
    case logRead([ChainLink])
}

/// What the driver does next.
public enum FeedAction: Hashable, Sendable {
    case none
    /// Ask Redis now, not at the next interval.
    case poll
    /// Load the snapshot, then say `snapshotLoaded`.
    case loadSnapshot
    /// Write what the snapshot lacked, then say `reasserted`.
    case reassert
    /// Read the log from this entry (included), then say `logRead`.
    case readLog(from: LogPosition)
    /// Write these changes again, then say `eventsReasserted`: they were heard, and this Redis' log does not have them.
    case reassertEvents([Event])
}

/// Where a feed stands.
public enum FeedPhase: String, Hashable, Sendable, CaseIterable {
    /// No connection.
    case disconnected
    /// A snapshot is being read.
    case loading
    /// What the snapshot lacked is being written.
    case reasserting
    /// The chain is followed, by messages and polls.
    case following
}
