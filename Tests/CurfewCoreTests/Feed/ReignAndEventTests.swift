// What counts as a new reign, and what an event looks like on its way.

import CurfewCore
import Testing

@Suite("A reign")
struct ReignTrackerTests {
    private func sighting(_ run: String, _ history: String, after previous: String = "0000") -> ReignTracker.Sighting {
        ReignTracker.Sighting(runID: run, replicationID: history, previousReplicationID: previous)
    }

    @Test("lasts while process and history stay, and ends with either")
    func endsWithEither() {
        var tracker = ReignTracker()
        let first = tracker.see(sighting("r1", "h1"), at: Fixture.at(0))
        #expect(tracker.see(sighting("r1", "h1"), at: Fixture.at(100_000_000)) == first)
        #expect(tracker.see(sighting("r1", "h2", after: "h1"), at: Fixture.at(100_000_100)) != first)
        #expect(tracker.see(sighting("r2", "h2"), at: Fixture.at(100_000_200)) != first)
    }

    @Test("outlasts the expiry of the replication backlog, where contact was not lost")
    func outlastsBacklogExpiry() {
        var tracker = ReignTracker()
        let first = tracker.see(sighting("r1", "h1"), at: Fixture.at(0))
        #expect(tracker.see(sighting("r1", "h2"), at: Fixture.at(60_000)) == first)
        #expect(tracker.see(sighting("r1", "h2"), at: Fixture.at(500_000)) == first)
        #expect(tracker.see(sighting("r1", "h3"), at: Fixture.at(560_001)) != first, "contact was lost for too long")
    }
}

@Suite("An event's text")
struct EventTextTests {
    static let session = SessionID(partition: Partition(3), high: 1, low: 2)
    static let changes: [Change] = [
        .superseded(session.rotated(to: 3), graceMilliseconds: 10_000),
        .sessions([session, SessionID(partition: Partition(3), high: .max, low: .max)]),
        .user(UserID("u 42 ünï").unsafelyUnwrapped, Stamp(1_700_000_000_000_001)),
        .tenant(TenantID("acme").unsafelyUnwrapped, Stamp(7)), .everyone(Stamp(.max)),
        .permissions(UserID("u").unsafelyUnwrapped, Permissions(["a:b", "c"]).unsafelyUnwrapped, Stamp(9)),
        .permissions(UserID("u").unsafelyUnwrapped, .none, Stamp(9)), .nothing,
    ]

    @Test("reads back as the event it was made from", arguments: changes)
    func roundTrip(change: Change) {
        for asker in [nil, NodeID(random: 7)] {
            let event = Event(
                position: LogPosition(seq: 12, tag: EventTag(0xFE)), previous: EventTag(.max), asker: asker,
                until: WallTime(seconds: 1_900_000_000), reason: "password_changed", change: change)
            #expect(Event(event.text) == event)
        }
    }

    @Test(
        "is refused unless it is whole and well formed",
        arguments: [
            "", "1", "1\t00000000000000a1\t00000000000000a0\t-\t5\tr",
            "x\t00000000000000a1\t00000000000000a0\t-\t5\tr\tnothing",
            "9223372036854775808\t00000000000000a1\t00000000000000a0\t-\t5\tr\tnothing",
            "1\t00000000000000A1\t00000000000000a0\t-\t5\tr\tnothing", "1\ta1\t00000000000000a0\t-\t5\tr\tnothing",
            "1\t00000000000000a1\t00000000000000a0\tnobody\t5\tr\tnothing",
            "1\t00000000000000a1\t00000000000000a0\t-\tsoon\tr\tnothing",
            "1\t00000000000000a1\t00000000000000a0\t-\t5\tr\tnothing\textra",
            "1\t00000000000000a1\t00000000000000a0\t-\t5\tr\tsessions",
            "1\t00000000000000a1\t00000000000000a0\t-\t5\tr\tsessions\tses_short",
            "1\t00000000000000a1\t00000000000000a0\t-\t5\tr\tuser\tu",
            "1\t00000000000000a1\t00000000000000a0\t-\t5\tr\tuser\tu\t-3",
            "1\t00000000000000a1\t00000000000000a0\t-\t5\tr\tpermissions\tu\t3\tnot allowed",
            "1\t00000000000000a1\t00000000000000a0\t-\t5\tr\tsomething-new\tu",
        ])
    func refused(text: String) {
        #expect(Event(text) == nil)
    }
}
