// Waiting for one event to be in force everywhere, as a value. Two ways end it:
// - acknowledged: every node that could still be serving said that it applied the event; needs a membership that was
//   watched, on this chain and connection, for Δ and the margin.
// - fenced: Δ and the margin have passed since Redis replied, so whoever has not applied the event has no poll left
//   that could make it fresh; needs nothing at all, and nobody in `onStale: grace`.

/// How a wait ended.
public enum FenceOutcome: String, Hashable, Sendable {
    case acknowledged, fenced, pending
}

/// What a fence hears.
public enum FenceEvent: Hashable, Sendable {
    /// This node said that it applied the event.
    case acknowledged(by: NodeID)
    /// A poll of the same term showed what each member had applied (only entries of this very chain are noted there).
    case observed([NodeID: MemberRecord])
    /// The event stands in the chain that this node follows.
    case chained
    /// The asker's connection or term ended: its membership counts no more.
    case watchLost
    /// Time passed.
    case tick(BootTime)
}

/// One change's wait.
public struct Fence: Hashable, Sendable {
    public let position: LogPosition
    /// Whom it waits for, this node left out.
    public let waitedFor: Set<NodeID>
    public private(set) var acknowledged: Set<NodeID> = []
    public private(set) var outcome: FenceOutcome?
    /// When `fenced` is true at the latest.
    public let fencedAt: BootTime
    /// When the caller stops waiting, if before that.
    public let givesUpAt: BootTime?
    /// Since when the asker had watched the membership, when it asked.
    public let watchedSince: BootTime?
    /// Of the Redis that ran the script it is known that it is the one this node follows.
    private let isReignFollowed: Bool
    private var isMembershipTrusted: Bool
    private var isChained = false
    /// Those of `waitedFor` that serve past Δ by choice: waiting proves nothing about them.
    private let staleServers: Set<NodeID>

    /// - Parameters:
    ///   - members: whom the script's reply named, this node left out, those that stand still left out.
    ///   - watchedSince: when this node began to watch this chain on this connection; `nil` if it does not.
    ///   - isReignFollowed: whether the reply came from the reign that this node follows, as far as it knows.
    ///   - sentAt: before the script was sent. - repliedAt: when its reply was read.
    public init(
        position: LogPosition, waitedFor: Set<NodeID>, staleServers: Set<NodeID>, watchedSince: BootTime?,
        isReignFollowed: Bool, sentAt: BootTime, repliedAt: BootTime, bounds: FeedBounds, givesUpAt: BootTime?
    ) {
        self.position = position
        self.waitedFor = waitedFor
        self.staleServers = staleServers.intersection(waitedFor)
        self.watchedSince = watchedSince
        self.isReignFollowed = isReignFollowed
        isMembershipTrusted = watchedSince.map { sentAt - $0 > bounds.patience } ?? false
        fencedAt = repliedAt + bounds.patience
        self.givesUpAt = givesUpAt
    }

    public mutating func handle(_ event: FenceEvent) {
        guard outcome == nil else { return }
        switch event {
        case .acknowledged(let node):
            if waitedFor.contains(node) { acknowledged.insert(node) }
        case .observed(let members):
            for (node, record) in members where waitedFor.contains(node) && record.applied.seq >= position.seq {
                acknowledged.insert(node)
            }
        case .chained: isChained = true
        case .watchLost: isMembershipTrusted = false
        case .tick(let now): expire(at: now)
        }
        // 1. Redis loses its data. 2. A node that is fresh from the old data is not in the new `{p}:nodes`. 3. A revoke
        // there would find nobody to wait for. So an empty wait is believed only on a chain that was watched for long enough.
        if outcome == nil, isMembershipTrusted, isChained, acknowledged == waitedFor { outcome = .acknowledged }
    }

    private mutating func expire(at now: BootTime) {
        if now > fencedAt {
            // 1. The script is run, and its reply is slow. 2. Redis loses everything, and every node reconciles with the new one.
            // 3. The reply is read. Nobody knew the event when the new term began; it is only now written again.
            outcome = isReignFollowed && staleServers.isSubset(of: acknowledged) ? .fenced : .pending
        } else if let givesUpAt, now >= givesUpAt {
            outcome = .pending
        }
    }
}
