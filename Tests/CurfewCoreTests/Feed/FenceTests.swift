// A fence returns when every node enforces its event, or when every node that does not is provably stale; never before.

import CurfewCore
import Testing

@Suite("A fence")
struct FenceTests {
    private typealias F = Fixture
    static let a = NodeID(random: 1), b = NodeID(random: 2), c = NodeID(random: 3)

    private func fence(
        waitedFor: Set<NodeID> = [a, b], stale: Set<NodeID> = [], watchedSince: Int64? = 0, sentAt: Int64 = 5000,
        givesUpAt: Int64? = nil, isReignFollowed: Bool = true
    ) -> Fence {
        Fence(
            position: F.position(5), waitedFor: waitedFor, staleServers: stale,
            watchedSince: watchedSince.map(F.at), isReignFollowed: isReignFollowed, sentAt: F.at(sentAt),
            repliedAt: F.at(sentAt + 1), bounds: F.bounds,
            givesUpAt: givesUpAt.map(F.at))
    }

    @Test("is acknowledged once everybody it waits for has applied the event, and not one earlier")
    func acknowledged() {
        var fence = fence()
        fence.handle(.chained)
        fence.handle(.acknowledged(by: Self.a))
        #expect(fence.outcome == nil)
        fence.handle(.acknowledged(by: Self.c))
        #expect(fence.outcome == nil)
        fence.handle(.acknowledged(by: Self.b))
        #expect(fence.outcome == .acknowledged)
    }

    @Test("takes a poll's word for an acknowledgement that was lost")
    func observed() {
        var fence = fence()
        fence.handle(.chained)
        func record(_ seq: UInt64) -> MemberRecord {
            MemberRecord(count: 1, applied: F.position(seq), habit: F.habit)
        }
        fence.handle(.observed([Self.a: record(5), Self.b: record(4)]))
        #expect(fence.outcome == nil)
        fence.handle(.observed([Self.b: record(6)]))
        #expect(fence.outcome == .acknowledged)
    }

    @Test("believes no membership that was not watched for the bound and its margin", arguments: [nil, 3990, 4500])
    func untrustedMembership(since: Int64?) {
        var fence = fence(waitedFor: [], watchedSince: since)
        fence.handle(.chained)
        #expect(fence.outcome == nil)
        fence.handle(.tick(F.at(6021)))
        #expect(fence.outcome == nil)
        fence.handle(.tick(F.at(6022)))
        #expect(fence.outcome == .fenced)
    }

    @Test("believes a membership that was watched for longer than that")
    func trustedMembership() {
        var fence = fence(waitedFor: [], watchedSince: 3979)
        fence.handle(.chained)
        #expect(fence.outcome == .acknowledged)
    }

    @Test("does not believe its membership before the event stands in its own chain")
    func unchained() {
        var fence = fence(waitedFor: [])
        fence.handle(.acknowledged(by: Self.a))
        #expect(fence.outcome == nil)
        fence.handle(.chained)
        #expect(fence.outcome == .acknowledged)
    }

    @Test("takes the slow way once the connection or term that it watched has ended")
    func watchLost() {
        var fence = fence()
        fence.handle(.watchLost)
        fence.handle(.chained)
        for node in [Self.a, Self.b] { fence.handle(.acknowledged(by: node)) }
        #expect(fence.outcome == nil)
        fence.handle(.tick(F.at(6022)))
        #expect(fence.outcome == .fenced)
    }

    @Test("is pending when its caller stops waiting, and when somebody serves stale by choice")
    func pending() {
        var short = fence(givesUpAt: 5100)
        short.handle(.tick(F.at(5099)))
        #expect(short.outcome == nil)
        short.handle(.tick(F.at(5100)))
        #expect(short.outcome == .pending)

        var grace = fence(stale: [Self.b])
        grace.handle(.tick(F.at(6022)))
        #expect(grace.outcome == .pending)

        var lost = fence(isReignFollowed: false)
        lost.handle(.tick(F.at(6022)))
        #expect(lost.outcome == .pending, "its Redis may have lost it before anybody knew it")

        var acknowledgedGrace = fence(stale: [Self.b])
        acknowledgedGrace.handle(.acknowledged(by: Self.b))
        acknowledgedGrace.handle(.tick(F.at(6022)))
        #expect(acknowledgedGrace.outcome == .fenced)
    }

    @Test("waits for everybody but those whose counter stood still for longer than the bound and its margin")
    func possiblyServing() {
        func record(_ count: UInt64, stale: Bool = false) -> MemberRecord {
            MemberRecord(
                count: count, applied: F.origin, habit: ServingHabit(servesStale: stale, staleness: F.bounds.staleness))
        }
        var membership = Membership()
        membership.observe([Self.a: record(7), Self.b: record(3), Self.c: record(1, stale: true)], at: F.at(0))
        membership.observe([Self.a: record(7), Self.b: record(4), Self.c: record(1, stale: true)], at: F.at(500))
        let now = [Self.a: record(7), Self.b: record(4), Self.c: record(1, stale: true)]
        let patience = F.bounds.patience
        #expect(membership.possiblyServing(of: now, at: F.at(1020), patience: patience) == [Self.a, Self.b, Self.c])
        #expect(membership.possiblyServing(of: now, at: F.at(1021), patience: patience) == [Self.b, Self.c])
        #expect(
            membership.possiblyServing(of: [Self.a: record(8)], at: F.at(9000), patience: patience) == [Self.a],
            "it polled again since it was last seen")
        let unseen = NodeID(random: 9)
        #expect(membership.possiblyServing(of: [unseen: record(1)], at: F.at(9000), patience: patience) == [unseen])
        #expect(Set(membership.idle(for: patience, at: F.at(1021)).keys) == [Self.a, Self.c])
    }

    @Test("a node of another version is never waited out, and goes once it stands still")
    func otherVersion() {
        let (first, second) = (MemberRecord("2;7:abc:r"), MemberRecord("2;8:abc:r"))
        #expect(first.servesStale && first.count != second.count && first.text == "2;7:abc:r")
        #expect(MemberRecord("7:5:0000000000000001:r1000").habit == F.habit)
        for text in ["7:5:0000000000000001:r", "7:5:0000000000000001:r0", "7:5:0000000000000001:x9", "", "7:5:1:r1"] {
            #expect(MemberRecord(text).servesStale && MemberRecord(text).applied.seq == 0, "\(text)")
        }
    }

    @Test("others are waited out by the longest bound that any node was seen to have")
    func longestBound() {
        var feed = PartitionFeed(bounds: F.bounds)
        func record(_ seconds: Int) -> MemberRecord {
            MemberRecord(
                count: 1, applied: F.origin, habit: ServingHabit(servesStale: false, staleness: .seconds(seconds)))
        }
        feed.see([Self.a: record(1), Self.b: record(3)])
        #expect(feed.longestBounds == FeedBounds(staleness: .seconds(3)))
        feed.see([Self.a: record(1)])
        #expect(feed.longestBounds == FeedBounds(staleness: .seconds(3)), "what Redis has lost is not forgotten here")
        #expect(feed.bounds == F.bounds)
    }
}
