// Who else polls a partition, as its Redis counts them, and since when this node has seen each counter stand still.
// No clock of another machine is compared: a counter is a number, and "still" is measured on this node's own clock.

/// What `{p}:nodes` says of one node.
public struct MemberRecord: Hashable, Sendable {
    /// How often it polled this partition.
    public let count: UInt64
    /// The last event of this very chain that it had applied then.
    public let applied: LogPosition
    /// No fence can wait it out.
    public var servesStale: Bool { habit.servesStale }
    /// How it serves when it hears nothing.
    public let habit: ServingHabit
    /// `count:seq:tag:habit`
    public let text: String

    public init(count: UInt64, applied: LogPosition, habit: ServingHabit) {
        let text = "\(count):\(applied.seq):\(applied.tag):\(habit.text)"
        self.init(count: count, applied: applied, habit: habit, text: text)
    }

    private init(count: UInt64, applied: LogPosition, habit: ServingHabit, text: String) {
        self.count = count
        self.applied = applied
        self.habit = habit
        self.text = text
    }

    /// As `nodes` has it. What can't be read was written by another version: nothing is known of that node but that its text
    /// changes while it polls, so it has applied nothing and is waited out by nobody.
    public init(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 4, let count = UInt64(parts[0]), let seq = UInt64(parts[1]), let tag = EventTag(parts[2]),
            let habit = ServingHabit(parts[3])
        {
            self.init(count: count, applied: LogPosition(seq: seq, tag: tag), habit: habit)
        } else {
            // FNV-1a, for a number that changes with the text.
            let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            self.init(count: hash, applied: LogPosition(seq: 0, tag: EventTag(0)), habit: .unknown, text: text)
        }
    }
}

/// For how long a node that hears nothing serves on. Others that wait it out go by this, not by their own setting.
public struct ServingHabit: Hashable, Sendable {
    /// Past Δ, too, by its operator's choice (`onStale: grace`).
    public let servesStale: Bool
    /// Its Δ (ms), at most an hour; 0 where it is unknown.
    public let stalenessMilliseconds: Int64

    /// The longest Δ that a node can have (ms).
    public static let maximumStalenessMilliseconds: Int64 = 3_600_000

    /// `staleness` is rounded up to whole milliseconds.
    public init(servesStale: Bool, staleness: Duration) {
        self.servesStale = servesStale
        stalenessMilliseconds = min(
            Self.maximumStalenessMilliseconds, (staleness.wholeNanoseconds + 999_999) / 1_000_000)
    }

    /// Of a node that says nothing readable: as if it served for as long as it likes.
    static let unknown = ServingHabit(servesStale: true, staleness: .zero)

    public var staleness: Duration { .milliseconds(stalenessMilliseconds) }

    /// `r` (refuses past Δ) or `g` (grace), and Δ in milliseconds: `r1000`.
    public init?(_ text: some StringProtocol) {
        guard let letter = text.first, letter == "r" || letter == "g", let milliseconds = UInt32(text.dropFirst()),
            (1...Self.maximumStalenessMilliseconds).contains(Int64(milliseconds)), text.dropFirst().first != "+"
        else { return nil }
        servesStale = letter == "g"
        stalenessMilliseconds = Int64(milliseconds)
    }

    /// The text that `init(_:)` reads.
    public var text: String { "\(servesStale ? "g" : "r")\(stalenessMilliseconds)" }
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
