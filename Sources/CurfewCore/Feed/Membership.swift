// Who else polls a partition, as its Redis counts them, and since when this node has seen each counter stand still.
// No clock of another machine is compared: a counter is a number, and "still" is measured on this node's own clock.

/// What `{p}:nodes` says of one node.
public struct MemberRecord: Hashable, Sendable {
    /// How often it polled this partition.
    public let count: UInt64
    /// The last event of this very chain that it had applied then.
    public let applied: LogPosition
    /// It serves past Δ by its operator's choice (`onStale: grace`), so no fence can wait it out.
    public let servesStale: Bool

    public init(count: UInt64, applied: LogPosition, servesStale: Bool) {
        self.count = count
        self.applied = applied
        self.servesStale = servesStale
    }

    /// `count:seq:tag:flag`, flag `r` (refuse) or `g` (grace).
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, let count = UInt64(parts[0]), let seq = UInt64(parts[1]), let tag = EventTag(parts[2]),
            parts[3] == "r" || parts[3] == "g"
        else { return nil }
        self.init(count: count, applied: LogPosition(seq: seq, tag: tag), servesStale: parts[3] == "g")
    }
}

extension MemberRecord {
    /// The text that `init(_:)` reads.
    public var text: String { "\(count):\(applied.seq):\(applied.tag):\(servesStale ? "g" : "r")" }
}

/// What this node has watched of the others, on one chain and one connection.
public struct Membership: Hashable, Sendable {
    private struct Watched: Hashable, Sendable {
        var record: MemberRecord
        var since: BootTime
    }

    private var watched: [NodeID: Watched] = [:]

    public init() {}

    /// All members of the last reply.
    public var members: [NodeID: MemberRecord] { watched.mapValues(\.record) }

    /// Takes over one reply's members, as of when it was read.
    public mutating func observe(_ members: [NodeID: MemberRecord], at now: BootTime) {
        watched = members.reduce(into: [:]) { result, member in
            let (node, record) = member
            if let known = watched[node], known.record.count == record.count {
                result[node] = Watched(record: record, since: known.since)
            } else {
                result[node] = Watched(record: record, since: now)
            }
        }
    }

    /// Those of `members` that may still be serving at `now`: all but those whose counter was already watched stand
    /// still for longer than `patience`. The last poll that such a counter counts ran before this node first read it,
    /// so that node's freshness is over. Nobody is left out who serves past Δ by choice.
    public func possiblyServing(
        of members: [NodeID: MemberRecord], at now: BootTime, patience: Duration
    ) -> Set<NodeID> {
        Set(
            members.compactMap { node, record in
                guard !record.servesStale, let known = watched[node], known.record.count == record.count else {
                    return node
                }
                return now - known.since > patience ? nil : node
            })
    }

    /// Members that stood still for longer than this, with the counter that was seen.
    public func idle(for duration: Duration, at now: BootTime) -> [NodeID: MemberRecord] {
        watched.filter { now - $0.value.since > duration }.mapValues(\.record)
    }
}
