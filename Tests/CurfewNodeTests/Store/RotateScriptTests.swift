// Rotation in Redis: what the next id takes over, what the one before is still good for, and that nothing that ended comes back by it.

import CurfewCore
import CurfewRedis
import TestSupport
import Testing

@testable import CurfewNode

@Suite("Rotation in Redis") struct RotateScriptTests {
    private typealias Bench = ScriptBench
    private struct NotRotated: Error { let reply: RotateReply }

    private func rotated(_ reply: RotateReply) throws -> (session: RenewedSession, number: UInt32, events: [Event]) {
        guard case .rotated(let session, let number, let events) = reply else { throw NotRotated(reply: reply) }
        return (session, number, events)
    }

    private func refusal(_ reply: RotateReply) -> RefusalReason? {
        if case .refused(let reason) = reply { reason } else { nil }
    }

    private func refusal(_ reply: RenewReply) -> RefusalReason? {
        if case .refused(let reason) = reply { reason } else { nil }
    }

    @Test("the next id is the good one for renewals, and the one before for the grace, by Redis' clock")
    func next() async throws {
        try await Bench.run { bench in
            let (first, _) = try await bench.issue(1, hasRefreshToken: true)
            let reply = try rotated(try await bench.rotate(first, grace: 60_000))
            #expect(reply.number == 1 && reply.session.generation == 1)
            #expect(reply.events.map(\.change) == [.superseded(first, graceMilliseconds: 60_000)])
            let second = first.rotated(to: 1)
            #expect(refusal(try await bench.renew(first, generation: 1)) == .sessionSuperseded)
            guard case .renewed = try await bench.renew(second, generation: 1) else {
                Issue.record("not renewed")
                return
            }
            #expect(try await bench.read(first).tombstone == nil)
            #expect(try await bench.read(first).graceLeft.map { .zero < $0 && $0 <= .seconds(60) } == true)
            #expect(try await bench.read(second).tombstone == nil)
            #expect(try await bench.read(second).graceLeft == nil)
            #expect(refusal(try await bench.rotate(first)) == .sessionSuperseded)
            let third = first.rotated(to: 2)
            #expect(try rotated(try await bench.rotate(second, grace: 0)).number == 2)
            #expect(try await bench.read(first).tombstone == .superseded)
            #expect(try await bench.read(second).tombstone == .superseded)
            #expect(try await bench.read(third).tombstone == nil)
            // One login, however often it got another id.
            #expect(try bench.command("ZRANGE", "t:{3}:u:\(Bench.user)", "0", "-1") == "\(first) ")
            #expect(try bench.command("ZRANGE", "t:{3}:due", "0", "-1") == "\(first)")
        }
    }

    @Test("what was read within a grace is no good for longer than that, however late it is looked at")
    func readWithinGrace() async throws {
        try await Bench.run { bench in
            let (id, issued) = try await bench.issue(1)
            let claims = Claims(
                issuer: "curfew", audience: "test", user: try #require(UserID(Bench.user)), session: id,
                issuedAt: WallTime(seconds: 1),
                expiresAt: WallTime(seconds: 9_999_999_999), kind: .web, stamp: issued.stamp, device: nil, tenant: nil,
                permissions: .none, permissionsVersion: 0)
            let sentAt = BootTime(nanoseconds: 1_000_000_000)
            func refusals(_ ages: Duration...) async throws -> [RefusalReason?] {
                let read = StandInReads.Answer(
                    reply: try await bench.read(id), sentAt: sentAt, wallBefore: WallTime(seconds: 1))
                return ages.map { read.refusal(of: claims, at: sentAt + $0) }
            }
            #expect(try await refusals(.zero, .seconds(1000)) == [nil, nil])
            _ = try rotated(try await bench.rotate(id, grace: 60_000))
            #expect(
                try await refusals(.zero, .seconds(30), .seconds(60)) == [nil, nil, .sessionSuperseded])
        }
    }

    @Test("an end by any id, and a cutoff, end all of them")
    func ended() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            for (low, number) in [(1, 0), (2, 1), (3, 2)] as [(UInt64, UInt32)] {
                let (first, _) = try await bench.issue(low)
                _ = try rotated(try await bench.rotate(first))
                _ = try await bench.revoke(.session(first.rotated(to: number), user: nil, device: nil), known: known)
                for id in [first, first.rotated(to: 1), first.rotated(to: 2)] {
                    #expect(refusal(try await bench.rotate(id)) == .sessionRevoked)
                    #expect(refusal(try await bench.renew(id)) == .sessionRevoked)
                    #expect(try await bench.read(id).tombstone == .revoked)
                }
                #expect(try bench.command("EXISTS", "t:{3}:s:\(first)") == "0")
            }
            let (first, issued) = try await bench.issue(4)
            let user = try #require(UserID(Bench.user))
            _ = try rotated(try await bench.rotate(first))
            let cutoff = try await bench.revoke(.user(user), known: known)
            #expect(issued.stamp < cutoff.stamp)
            #expect(refusal(try await bench.rotate(first.rotated(to: 1))) == .sessionRevoked)
        }
    }

    @Test("the absolute end stays, and only who proved again who it is gets a new one, from that moment on")
    func absoluteLifetime() async throws {
        try await Bench.run { bench in
            let (first, issued) = try await bench.issue(1, lifetime: 100, absolute: 150)
            let start = issued.issuedAt.seconds
            let plain = try rotated(try await bench.rotate(first, lifetime: 1000, absolute: 150))
            #expect(plain.session.expiresAt.seconds == start + 150)
            let again = try rotated(
                try await bench.rotate(
                    first.rotated(to: 1), lifetime: 1000, absolute: 150,
                    reauthenticatedAt: WallTime(seconds: start - 100)))
            #expect(again.session.expiresAt.seconds == start + 150, "never shorter")
            let ahead = try rotated(
                try await bench.rotate(
                    first.rotated(to: 2), lifetime: 1000, absolute: 400,
                    reauthenticatedAt: WallTime(seconds: start + 20)))
            let now = try await bench.open().time.seconds
            #expect((start + 400...now + 400).contains(ahead.session.expiresAt.seconds), "never from a time to come")
        }
    }

    @Test("new permissions hold until the next change, and without any the user's newest are taken over")
    func permissions() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            let user = try #require(UserID(Bench.user))
            let (given, changed) = (try #require(Permissions(["a", "b"])), try #require(Permissions(["c"])))
            let (first, _) = try await bench.issue(1)
            let own = try rotated(try await bench.rotate(first, permissions: given)).session
            #expect(own.permissions == given && own.permissionsVersion == 0)
            let change = try ChangeReply(
                try await bench.redis.run(
                    bench.calls.permissions(of: user, to: changed, in: Bench.partition, options: ChangeOptions(), known)
                ),
                operation: "permissions")
            let taken = try rotated(try await bench.rotate(first.rotated(to: 1))).session
            #expect(taken.permissions == changed && taken.permissionsVersion == change.stamp.microseconds)
            let newer = try rotated(try await bench.rotate(first.rotated(to: 2), permissions: given)).session
            #expect(newer.permissions == given && newer.permissionsVersion == change.stamp.microseconds)
            let none = try rotated(try await bench.rotate(first.rotated(to: 3), permissions: Permissions.none)).session
            #expect(none.permissions == Permissions.none)
        }
    }

    @Test("a repeated call gets the same id, another one a conflict")
    func repeated() async throws {
        try await Bench.run { bench in
            let (first, _) = try await bench.issue(1)
            let one = try rotated(try await bench.rotate(first, drawn: 7))
            let again = try rotated(try await bench.rotate(first, drawn: 7))
            #expect(again.number == 1 && again.events.isEmpty && again.session.renewedAt == one.session.renewedAt)
            #expect(refusal(try await bench.rotate(first, drawn: 8)) == .sessionSuperseded)
            #expect(refusal(try await bench.rotate(first)) == .sessionSuperseded)
            _ = try rotated(try await bench.rotate(first.rotated(to: 1), drawn: 9))
            #expect(refusal(try await bench.rotate(first, drawn: 7)) == .sessionSuperseded, "two ids ago")
        }
    }

    @Test(
        "an id that Redis forgot goes on under the number that its token says; one that is re-asserted as replaced does not"
    )
    func lostWrites() async throws {
        try await Bench.run { bench in
            let (first, _) = try await bench.issue(1, hasRefreshToken: true)
            let third = first.rotated(to: 2)
            guard case .renewed = try await bench.renew(third, generation: 1) else {
                Issue.record("not renewed")
                return
            }
            #expect(refusal(try await bench.renew(first, generation: 2)) == .sessionSuperseded)
            let (other, _) = try await bench.issue(2)
            let entry = ReplicatedEntry(
                change: .superseded(other, graceMilliseconds: 0), until: WallTime(seconds: 9_999_999_999))
            _ = try await bench.redis.run(bench.calls.reassert([entry], in: Bench.partition, bench.known(nil)))
            #expect(refusal(try await bench.rotate(other)) == .sessionSuperseded)
            #expect(try await bench.read(other).tombstone == .superseded)
            #expect(try bench.command("HGET", "t:{3}:s:\(other)", "o") == "1")
            // The answer that had the number came to nobody: whoever repeats the call gets it now, and nobody else.
            #expect(refusal(try await bench.rotate(other)) == .sessionSuperseded)
            #expect(try rotated(try await bench.rotate(other, drawn: 5)).number == 1)
            #expect(refusal(try await bench.rotate(other, drawn: 6)) == .sessionSuperseded)
            #expect(try rotated(try await bench.rotate(other.rotated(to: 1))).number == 2)
        }
    }

    @Test("a number that nobody gave is no id, and changes nothing")
    func madeUp() async throws {
        try await Bench.run { bench in
            let (first, _) = try await bench.issue(1)
            for number in [1, 5, UInt32.max - 1, .max] {
                #expect(refusal(try await bench.rotate(first.rotated(to: number))) == .sessionNotFound)
            }
            #expect(try rotated(try await bench.rotate(first)).number == 1)
            #expect(refusal(try await bench.rotate(first.rotated(to: 3))) == .sessionNotFound)
        }
    }

    @Test("a login in the place of another ends it in the same step, whatever else the user may have")
    func replacing() async throws {
        try await Bench.run { bench in
            let user = try #require(UserID(Bench.user))
            let (former, _) = try await bench.issue(1)
            let (other, _) = try await bench.issue(2)
            func issue(_ low: UInt64, _ room: SessionRoom?) async throws -> Result<IssueReply, IssueReply.Refusal> {
                let call = bench.calls.issue(
                    SessionID(partition: Bench.partition, high: 7, low: low), user: user, device: nil,
                    lifetime: SessionLifetime(seconds: 1000, absoluteSeconds: 10_000), hasRefreshToken: false,
                    room: room, replaces: IndexMember(session: former.rotated(to: 5), device: nil),
                    record: SessionRecord.fields(of: IssueRequest(user: user)), bench.known(nil))
                return try IssueReply.result(try await bench.redis.run(call))
            }
            let read = [former, other].map { (member: IndexMember(session: $0, device: nil), isLive: true) }
            // Its place is free for the new one.
            let full = SessionRoom(limit: SessionLimit(maximum: 2, evictsOldest: false), sessions: read)
            let reply = try await issue(3, full).get()
            #expect(reply.events.map(\.change) == [.sessions([former])] && reply.events[0].reason == "replaced")
            #expect(try bench.command("EXISTS", "t:{3}:s:\(former)") == "0")
            #expect(try bench.command("ZCARD", "t:{3}:u:\(Bench.user)") == "2")
            // Where there is no room it ends nothing.
            let none = SessionRoom(
                limit: SessionLimit(maximum: 1, evictsOldest: false),
                sessions: [(IndexMember(session: other, device: nil), true)])
            guard case .failure = try await issue(4, none) else {
                Issue.record("issued")
                return
            }
        }
    }
}
