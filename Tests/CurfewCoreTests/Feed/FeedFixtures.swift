// A chain of events and a feed brought into each of its phases, for the tables.

import CurfewCore

enum Fixture {
    static let bounds = FeedBounds(staleness: .seconds(1))
    static let habit = ServingHabit(servesStale: false, staleness: bounds.staleness)
    static let reign = Reign(runID: "run-1", replicationID: "history-1")
    static let otherReign = Reign(runID: "run-2", replicationID: "history-2")
    static let incarnation = "incarnation-1"
    static let origin = LogPosition(seq: 1, tag: EventTag(0xA1))

    static func at(_ milliseconds: Int64) -> BootTime { BootTime(nanoseconds: milliseconds * 1_000_000) }

    /// The nth event of the one true chain; `fork` makes another one of the same number.
    static func position(_ seq: UInt64, fork: UInt64 = 0) -> LogPosition {
        LogPosition(seq: seq, tag: EventTag(0xA0 + seq + fork << 32))
    }

    static func event(_ seq: UInt64, fork: UInt64 = 0, after previous: LogPosition? = nil) -> Event {
        Event(
            position: position(seq, fork: fork), previous: (previous ?? position(seq - 1)).tag, asker: nil,
            until: WallTime(seconds: 2_000_000_000), reason: "test", change: .nothing)
    }

    static func link(_ seq: UInt64, fork: UInt64 = 0) -> ChainLink {
        ChainLink(position: position(seq, fork: fork), previous: position(seq - 1).tag)
    }

    static func poll(
        sentAt milliseconds: Int64, _ verdict: ChainVerdict = .same, head: LogPosition, reign: Reign = reign,
        incarnation: String = incarnation, members: [NodeID: MemberRecord] = [:]
    ) -> FeedEvent {
        .polled(
            PollReply(
                sentAt: at(milliseconds), repliedAt: at(milliseconds + 1), reign: reign, incarnation: incarnation,
                verdict: verdict, head: head, members: members))
    }

    static func snapshot(head: LogPosition = origin, at milliseconds: Int64 = 0, lacked: Bool = false) -> FeedEvent {
        .snapshotLoaded(snapshotHead(head, at: milliseconds), lacked: lacked)
    }

    /// Ages count from the fixtures' own start, an hour before their times.
    static func snapshotHead(_ head: LogPosition, incarnation: String = incarnation, at milliseconds: Int64 = 0)
        -> SnapshotHead
    {
        SnapshotHead(
            position: head, incarnation: incarnation, readAt: at(milliseconds), age: at(milliseconds) + .seconds(3600))
    }

    /// A feed in this phase; following one has applied `origin` and joined its term at time 0.
    static func feed(_ phase: FeedPhase) -> PartitionFeed {
        var feed = PartitionFeed(bounds: bounds)
        switch phase {
        case .disconnected: break
        case .loading: _ = feed.handle(.connected(reign))
        case .reasserting:
            _ = feed.handle(.connected(reign))
            _ = feed.handle(snapshot(lacked: true))
        case .following:
            _ = feed.handle(.connected(reign))
            _ = feed.handle(snapshot())
        }
        return feed
    }

    /// A following feed whose newcomer's wait is over: fresh as of 2,000 ms.
    static var freshFeed: PartitionFeed {
        var feed = feed(.following)
        _ = feed.handle(poll(sentAt: 2000, head: origin))
        return feed
    }
}
