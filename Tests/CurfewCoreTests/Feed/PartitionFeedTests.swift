// The rules of the feed one by one: what moves the pointer, what makes fresh, what a new term costs.

import CurfewCore
import Testing

@Suite("A partition's feed")
struct PartitionFeedTests {
    private typealias F = Fixture

    @Test("is fresh for the staleness bound, counted from the sending of the poll, not from its reply")
    func freshnessCountsFromSending() {
        let feed = F.freshFeed
        #expect(feed.freshAsOf == F.at(2000))
        #expect(feed.isFresh(at: F.at(3000)))
        #expect(!feed.isFresh(at: F.at(3001)))
    }

    @Test("is not made fresh by a poll sent within the newcomer's wait of its term")
    func newcomersWait() {
        var feed = F.feed(.following)
        _ = feed.handle(F.poll(sentAt: 1019, head: F.origin))
        #expect(!feed.isFresh(at: F.at(1020)))
        #expect(!feed.canReadThrough(at: F.at(1019)))
        _ = feed.handle(F.poll(sentAt: 1020, head: F.origin))
        #expect(feed.isFresh(at: F.at(1020)))
        #expect(feed.canReadThrough(at: F.at(1020)))
    }

    @Test("pays nothing for a reconnect within a term")
    func reconnectWithinTerm() {
        var feed = F.freshFeed
        _ = feed.handle(.disconnected)
        #expect(feed.isFresh(at: F.at(2900)))
        #expect(feed.handle(.connected(F.reign)) == .poll)
        _ = feed.handle(F.poll(sentAt: 2950, head: F.origin))
        #expect(feed.isFresh(at: F.at(3900)))
    }

    @Test("is a newcomer again after a reconnect into another term, and after the log was created anew")
    func newTermMakesNewcomers() {
        var feed = F.freshFeed
        _ = feed.handle(.connected(F.otherReign))
        _ = feed.handle(F.snapshot(at: 5000))
        _ = feed.handle(F.poll(sentAt: 5100, head: F.origin, reign: F.otherReign))
        #expect(!feed.isFresh(at: F.at(5100)))
        _ = feed.handle(F.poll(sentAt: 6020, head: F.origin, reign: F.otherReign))
        #expect(feed.isFresh(at: F.at(6020)))

        feed = F.freshFeed
        #expect(feed.handle(F.poll(sentAt: 5000, head: F.origin, incarnation: "other")) == .loadSnapshot)
        _ = feed.handle(
            .snapshotLoaded(F.snapshotHead(F.position(7), incarnation: "other", at: 5001), lacked: false))
        _ = feed.handle(F.poll(sentAt: 5200, head: F.position(7), incarnation: "other"))
        #expect(!feed.isFresh(at: F.at(5200)))
    }

    @Test(
        "is settled once Redis' clock has passed every stamp of the terms before, by the node's age, and not by a reconnect again"
    )
    func settling() {
        var feed = F.freshFeed
        func isSettled(_ milliseconds: Int64, age: Int64) -> Bool {
            feed.isSettled(at: F.at(milliseconds), age: F.at(age) + .seconds(3600))
        }
        #expect(!isSettled(2000, age: 89_999))
        #expect(isSettled(2000, age: 90_000))
        #expect(!isSettled(1009, age: 90_000), "nor in the newcomer's wait")
        _ = feed.handle(.disconnected)
        _ = feed.handle(.connected(F.reign))
        #expect(isSettled(2000, age: 90_000))
        _ = feed.handle(.connected(F.otherReign))
        _ = feed.handle(F.snapshot(at: 5000))
        #expect(!isSettled(100_000, age: 94_999))
        #expect(isSettled(100_000, age: 95_000))
    }

    @Test("is a newcomer again where its partition may have been elsewhere, though the same primary answers the same")
    func leftTerm() {
        var feed = F.freshFeed
        feed.leaveTerm()
        #expect(feed.isFresh(at: F.at(2900)))
        #expect(feed.handle(.connected(F.reign)) == .loadSnapshot)
        #expect(feed.handle(F.snapshot(at: 5000)) == .poll)
        _ = feed.handle(F.poll(sentAt: 5100, head: F.origin))
        #expect(!feed.isFresh(at: F.at(5100)))
        #expect(!feed.canReadThrough(at: F.at(5100)))
        _ = feed.handle(F.poll(sentAt: 6020, head: F.origin))
        #expect(feed.isFresh(at: F.at(6020)))
    }

    @Test("moves its pointer along the chain only, and asks for nothing when it hears a duplicate")
    func pointerFollowsChain() {
        var feed = F.freshFeed
        for seq in 2...5 { #expect(feed.handle(.heard(F.event(UInt64(seq)))) == .none) }
        #expect(feed.applied == F.position(5))
        for seq in 2...5 { #expect(feed.handle(.heard(F.event(UInt64(seq)))) == .none) }
        #expect(feed.handle(.heard(F.event(7))) == .poll)
        #expect(feed.handle(.heard(F.event(6, after: F.position(5, fork: 1)))) == .poll)
        #expect(feed.applied == F.position(5))
        #expect(feed.hasApplied(F.position(3)))
        #expect(!feed.hasApplied(F.position(3, fork: 1)))
    }

    @Test("is fresh as of the poll that found the gap, once the log has filled it")
    func gapIsReadFromTheLog() {
        var feed = F.freshFeed
        #expect(feed.handle(F.poll(sentAt: 2500, head: F.position(4))) == .readLog(from: F.origin))
        #expect(feed.freshAsOf == F.at(2000))
        #expect(feed.handle(.logRead([F.link(1), F.link(2)])) == .readLog(from: F.position(2)))
        #expect(feed.handle(.logRead([F.link(2), F.link(3), F.link(4)])) == .none)
        #expect(feed.applied == F.position(4))
        #expect(feed.freshAsOf == F.at(2500))
    }

    @Test(
        "loads the snapshot where the log does not continue its chain",
        arguments: [
            [], [F.link(1, fork: 1), F.link(2)], [F.link(1), F.link(3)], [F.link(1), F.link(2, fork: 1), F.link(3)],
            [F.link(1)],
        ])
    func brokenLog(links: [ChainLink]) {
        var feed = F.freshFeed
        _ = feed.handle(F.poll(sentAt: 2500, head: F.position(4)))
        #expect(feed.handle(.logRead(links)) == .loadSnapshot)
        #expect(feed.freshAsOf == F.at(2000))
    }

    @Test("is not made fresh by a head of the right number on another fork")
    func headIsComparedByTag() {
        var feed = F.freshFeed
        _ = feed.handle(.heard(F.event(2)))
        #expect(feed.handle(F.poll(sentAt: 2500, head: F.position(2, fork: 1))) == .loadSnapshot)
        #expect(feed.freshAsOf == F.at(2000))
    }

    @Test("hands out what it heard and the log lacks, to be written again")
    func straysAreReasserted() {
        var feed = F.freshFeed
        let stray = F.event(9, fork: 1, after: F.position(8, fork: 1))
        #expect(feed.handle(.heard(stray)) == .poll)
        #expect(feed.handle(F.poll(sentAt: 2500, head: F.origin)) == .reassertEvents([stray]))
        #expect(feed.handle(F.poll(sentAt: 2600, head: F.origin)) == .reassertEvents([stray]), "until it is written")
        #expect(feed.handle(.eventsReasserted([stray.position])) == .none)
        #expect(feed.handle(F.poll(sentAt: 2700, head: F.origin)) == .none)
    }

    @Test(
        "keeps what it hears without a connection or while it reconciles, since that may be too late for the snapshot",
        arguments: [FeedPhase.disconnected, .loading, .reasserting])
    func straysOutlastReconciling(phase: FeedPhase) {
        let stray = F.event(9, fork: 1, after: F.position(8, fork: 1))
        var feed = F.freshFeed
        _ = feed.handle(.disconnected)
        if phase != .disconnected { _ = feed.handle(.connected(F.otherReign)) }
        if phase == .reasserting { _ = feed.handle(F.snapshot(at: 3000, lacked: true)) }
        #expect(feed.phase == phase)
        #expect(feed.handle(.heard(stray)) == .none)
        let reign = phase == .disconnected ? F.reign : F.otherReign
        switch phase {
        case .disconnected: _ = feed.handle(.connected(F.reign))
        case .loading: _ = feed.handle(F.snapshot(at: 3000))
        case .reasserting: _ = feed.handle(.reasserted)
        case .following: break
        }
        #expect(feed.handle(F.poll(sentAt: 3100, head: F.origin, reign: reign)) == .reassertEvents([stray]))
    }

    @Test(
        "reconciles where it heard more than it keeps, whatever it was doing",
        arguments: [FeedPhase.disconnected, .loading])
    func overflowReconciles(phase: FeedPhase) {
        var feed = F.freshFeed
        _ = feed.handle(.disconnected)
        if phase == .loading { _ = feed.handle(.connected(F.otherReign)) }
        for seq in 0..<65 {
            #expect(feed.handle(.heard(F.event(100 + UInt64(seq) * 2, after: F.position(1, fork: 1)))) == .none)
        }
        if phase == .loading {
            #expect(feed.handle(F.snapshot(at: 3000)) == .loadSnapshot)
        } else {
            #expect(feed.handle(.connected(F.reign)) == .loadSnapshot)
        }
    }

    @Test("keeps no stray that the log turns out to have")
    func straysOnTheChainAreForgotten() {
        var feed = F.freshFeed
        #expect(feed.handle(.heard(F.event(3))) == .poll)
        _ = feed.handle(F.poll(sentAt: 2500, head: F.position(3)))
        #expect(feed.handle(.logRead([F.link(1), F.link(2), F.link(3)])) == .none)
    }

    @Test("reads the snapshot again rather than keep strays without bound")
    func straysAreBounded() {
        var feed = F.freshFeed
        var actions: [FeedAction] = []
        for seq in 0..<65 {
            let seq = UInt64(seq)
            actions.append(feed.handle(.heard(F.event(100 + seq * 2, after: F.position(1, fork: 1)))))
        }
        #expect(actions.dropLast().allSatisfy { $0 == .poll })
        #expect(actions.last == .loadSnapshot)
    }

    @Test("does not go back to an older poll that is answered late")
    func latePolls() {
        var feed = F.freshFeed
        _ = feed.handle(F.poll(sentAt: 2500, head: F.position(3)))
        #expect(feed.handle(F.poll(sentAt: 2400, head: F.origin)) == .none)
        #expect(feed.freshAsOf == F.at(2000))
        _ = feed.handle(.logRead([F.link(1), F.link(2), F.link(3)]))
        #expect(feed.freshAsOf == F.at(2500))
        _ = feed.handle(F.poll(sentAt: 2450, head: F.origin))
        #expect(feed.freshAsOf == F.at(2500))
    }

    @Test("reaches an event that it applied, and one that a later term lost, but none that this Redis never had")
    func reachesFences() {
        var feed = F.freshFeed
        _ = feed.handle(.heard(F.event(2)))
        #expect(feed.reaches(F.position(2), since: F.at(9000)), "applied, whenever it was polled")
        #expect(!feed.reaches(F.position(2, fork: 1), since: F.at(1000)), "another event of that number")
        #expect(!feed.reaches(F.position(3), since: F.at(1000)), "ahead of the log")

        _ = feed.handle(.connected(F.otherReign))
        _ = feed.handle(F.snapshot(at: 3000))
        _ = feed.handle(F.poll(sentAt: 4020, head: F.origin, reign: F.otherReign))
        #expect(feed.reaches(F.position(2), since: F.at(4020)), "lost with the term before, and re-asserted")
        #expect(!feed.reaches(F.position(2), since: F.at(4021)), "no poll was sent since then")
    }

    @Test(
        "reaches nothing that a term lost while it is a newcomer in the next, though it is still fresh from before",
        arguments: [UInt64(1), 5])
    func reachesNothingAsNewcomer(seq: UInt64) {
        // The new log is behind the lost event, or has overtaken it.
        let head = F.position(seq, fork: 1)
        var feed = F.freshFeed
        _ = feed.handle(.connected(F.otherReign))
        _ = feed.handle(F.snapshot(head: head, at: 2100))
        _ = feed.handle(F.poll(sentAt: 2200, head: head, reign: F.otherReign))
        #expect(feed.isFresh(at: F.at(2200)))
        #expect(!feed.reaches(F.position(2), since: F.at(2200)), "nobody may have written it again yet")
        _ = feed.handle(F.poll(sentAt: 3120, head: head, reign: F.otherReign))
        #expect(feed.reaches(F.position(2), since: F.at(2200)))
    }

    @Test("reaches what its history no longer keeps, by a poll that was sent since")
    func reachesOldEvents() {
        var feed = F.freshFeed
        for seq in 2...1200 { _ = feed.handle(.heard(F.event(UInt64(seq)))) }
        #expect(!feed.reaches(F.position(2), since: F.at(2400)))
        _ = feed.handle(F.poll(sentAt: 2400, head: F.position(1200)))
        #expect(feed.reaches(F.position(2), since: F.at(2400)))
    }

    @Test("fences itself while its clock is off")
    func clockSkew() {
        var feed = F.freshFeed
        feed.isClockSkewed = true
        #expect(!feed.isFresh(at: F.at(2000)))
        #expect(!feed.canReadThrough(at: F.at(2000)))
    }

    @Test("forgets the tags that left its history, and still compares the rest")
    func historyIsBounded() {
        var feed = F.freshFeed
        for seq in 2...2000 { _ = feed.handle(.heard(F.event(UInt64(seq)))) }
        #expect(feed.applied == F.position(2000))
        #expect(feed.hasApplied(F.position(2000 - 1023)))
        #expect(!feed.hasApplied(F.position(2000 - 1024)))
    }

    @Test("begins a reconcile again that its connection did not live to finish, in the same reign too")
    func interruptedReconcile() {
        var feed = F.freshFeed
        // More than is kept: only a reconcile settles them.
        for seq in 0...64 {
            _ = feed.handle(.heard(F.event(100 + UInt64(seq) * 2, after: F.position(1, fork: 1))))
        }
        #expect(feed.phase == .loading)
        _ = feed.handle(.disconnected)
        #expect(feed.handle(.connected(F.reign)) == .loadSnapshot)
        _ = feed.handle(F.snapshot(at: 3000))
        _ = feed.handle(.disconnected)
        #expect(feed.handle(.connected(F.reign)) == .poll, "what was finished is not owed")
    }

    @Test("is moved by no answer that came over a connection which it no longer stands on")
    func otherConnections() {
        let old = ConnectionID(primary: 0, generation: 1)
        let new = ConnectionID(primary: 1, generation: 1)
        var feed = PartitionFeed(bounds: F.bounds)
        _ = feed.handle(.connected(F.reign), from: old)
        _ = feed.handle(F.snapshot(), from: old)
        _ = feed.handle(.connected(F.otherReign), from: new)
        #expect(feed.phase == .loading)
        let late: [FeedEvent] = [
            F.snapshot(at: 100), .reasserted, F.poll(sentAt: 5000, head: F.origin), .logRead([F.link(1)]),
            .eventsReasserted([F.origin]), .disconnected,
        ]
        for event in late {
            #expect(feed.handle(event, from: old) == .none)
            #expect(feed.phase == .loading)
            #expect(feed.freshAsOf == .distantPast)
        }
        _ = feed.handle(F.snapshot(at: 5000), from: new)
        #expect(feed.phase == .following && feed.connection == new)
    }
}
