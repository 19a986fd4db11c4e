// Every phase against every event: which action, which phase next. A pair that means nothing must change nothing.

import CurfewCore
import Testing

@Suite("A partition's feed, state by state")
struct PartitionFeedTableTests {
    struct Row: CustomTestStringConvertible {
        let phase: FeedPhase
        let name: String
        let event: FeedEvent
        let action: FeedAction
        let next: FeedPhase

        init(_ phase: FeedPhase, _ name: String, _ event: FeedEvent, _ action: FeedAction, _ next: FeedPhase) {
            (self.phase, self.name, self.event, self.action, self.next) = (phase, name, event, action, next)
        }

        var testDescription: String { "\(phase), \(name)" }
    }

    private typealias F = Fixture

    static let rows: [Row] =
        idle + loading + reasserting + following

    private static let idle = [
        Row(.disconnected, "connected", .connected(F.reign), .loadSnapshot, .loading),
        Row(.disconnected, "disconnected", .disconnected, .none, .disconnected),
        Row(.disconnected, "heard", .heard(F.event(2)), .none, .disconnected),
        Row(.disconnected, "a late snapshot", F.snapshot(), .none, .disconnected),
        Row(.disconnected, "a late re-assertion", .reasserted, .none, .disconnected),
        Row(.disconnected, "a late poll", F.poll(sentAt: 1, head: F.origin), .none, .disconnected),
        Row(.disconnected, "events written again", .eventsReasserted([F.origin]), .none, .disconnected),
        Row(.disconnected, "a late log", .logRead([F.link(2)]), .none, .disconnected),
    ]

    private static let loading = [
        Row(.loading, "connected", .connected(F.otherReign), .loadSnapshot, .loading),
        Row(.loading, "disconnected", .disconnected, .none, .disconnected),
        Row(.loading, "heard", .heard(F.event(2)), .none, .loading),
        Row(.loading, "snapshot, nothing lacking", F.snapshot(), .poll, .following),
        Row(.loading, "snapshot, something lacking", F.snapshot(lacked: true), .reassert, .reasserting),
        Row(.loading, "a late re-assertion", .reasserted, .none, .loading),
        Row(.loading, "a late poll", F.poll(sentAt: 1, head: F.origin), .none, .loading),
        Row(.loading, "events written again", .eventsReasserted([F.origin]), .none, .loading),
        Row(.loading, "a late log", .logRead([F.link(2)]), .none, .loading),
    ]

    private static let reasserting = [
        Row(.reasserting, "connected", .connected(F.otherReign), .loadSnapshot, .loading),
        Row(.reasserting, "disconnected", .disconnected, .none, .disconnected),
        Row(.reasserting, "heard", .heard(F.event(2)), .none, .reasserting),
        Row(.reasserting, "a second snapshot", F.snapshot(), .none, .reasserting),
        Row(.reasserting, "re-asserted", .reasserted, .poll, .following),
        Row(.reasserting, "a late poll", F.poll(sentAt: 1, head: F.origin), .none, .reasserting),
        Row(.reasserting, "events written again", .eventsReasserted([F.origin]), .none, .reasserting),
        Row(.reasserting, "a late log", .logRead([F.link(2)]), .none, .reasserting),
    ]

    private static let following = [
        Row(.following, "connected, same reign", .connected(F.reign), .poll, .following),
        Row(.following, "connected, another reign", .connected(F.otherReign), .loadSnapshot, .loading),
        Row(.following, "disconnected", .disconnected, .none, .disconnected),
        Row(.following, "heard the next", .heard(F.event(2)), .none, .following),
        Row(.following, "heard a gap", .heard(F.event(3)), .poll, .following),
        Row(.following, "heard a fork", .heard(F.event(2, fork: 1, after: F.position(1, fork: 1))), .poll, .following),
        Row(.following, "heard an old one", .heard(F.event(0, after: F.position(9))), .poll, .following),
        Row(.following, "a late snapshot", F.snapshot(), .none, .following),
        Row(.following, "a late re-assertion", .reasserted, .none, .following),
        Row(.following, "poll: same, at the head", F.poll(sentAt: 1, head: F.origin), .none, .following),
        Row(
            .following, "poll: same, head ahead", F.poll(sentAt: 1, head: F.position(4)), .readLog(from: F.origin),
            .following),
        Row(.following, "poll: fork", F.poll(sentAt: 1, .fork, head: F.position(9)), .loadSnapshot, .loading),
        Row(.following, "poll: trimmed", F.poll(sentAt: 1, .trimmed, head: F.position(9)), .loadSnapshot, .loading),
        Row(
            .following, "poll: another reign", F.poll(sentAt: 1, head: F.origin, reign: F.otherReign), .loadSnapshot,
            .loading),
        Row(
            .following, "poll: another incarnation", F.poll(sentAt: 1, head: F.origin, incarnation: "other"),
            .loadSnapshot, .loading),
        Row(
            .following, "poll: the head is another event of that number",
            F.poll(sentAt: 1, head: F.position(1, fork: 1)), .loadSnapshot, .loading),
        Row(.following, "events written again", .eventsReasserted([F.origin]), .none, .following),
        Row(.following, "a log that nobody asked for", .logRead([F.link(2)]), .none, .following),
    ]

    @Test("goes where the table says", arguments: rows)
    func goesWhereTheTableSays(row: Row) {
        var feed = Fixture.feed(row.phase)
        #expect(feed.phase == row.phase)
        #expect(feed.handle(row.event) == row.action)
        #expect(feed.phase == row.next)
    }

    @Test("has a row for every phase and every kind of event")
    func isComplete() {
        func kind(_ event: FeedEvent) -> String {
            switch event {
            case .connected: "connected"
            case .disconnected: "disconnected"
            case .heard: "heard"
            case .snapshotLoaded: "snapshotLoaded"
            case .reasserted: "reasserted"
            case .eventsReasserted: "eventsReasserted"
            case .polled: "polled"
            case .logRead: "logRead"
            }
        }
        for phase in FeedPhase.allCases {
            #expect(Set(Self.rows.filter { $0.phase == phase }.map { kind($0.event) }).count == 8, "\(phase)")
        }
    }
}
