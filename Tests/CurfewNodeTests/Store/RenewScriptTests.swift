// Renewal in Redis: what it prolongs, what it refuses, and that nothing that ended comes back by it.

import CurfewCore
import CurfewRedis
import TestSupport
import Testing

@testable import CurfewNode

@Suite("Renewal in Redis") struct RenewScriptTests {
    private typealias Bench = ScriptBench

    private func renewed(_ reply: RenewReply) throws -> RenewedSession {
        guard case .renewed(let session, _) = reply else { throw NotRenewed(reply: reply) }
        return session
    }
    private struct NotRenewed: Error { let reply: RenewReply }

    private func expectRefused(
        _ reply: RenewReply, _ reason: RefusalReason, _ location: SourceLocation = #_sourceLocation
    ) {
        guard case .refused(let given) = reply else {
            Issue.record("\(reply)", sourceLocation: location)
            return
        }
        #expect(given == reason, sourceLocation: location)
    }

    @Test(
        "prolongs the session by its lifetime, never past its absolute end and never back, by no sequence of renewals")
    func absoluteLifetime() async throws {
        try await Bench.run { bench in
            let (session, issued) = try await bench.issue(1, lifetime: 100, absolute: 150)
            var end = try renewed(try await bench.renew(session, lifetime: 20)).expiresAt
            #expect(end.seconds == issued.issuedAt.seconds + 100)
            var generator = SeededGenerator(seed: 5)
            for _ in 0..<200 {
                let next = try renewed(
                    try await bench.renew(session, lifetime: .random(in: 90...200, using: &generator)))
                #expect(next.expiresAt.seconds <= issued.issuedAt.seconds + 150 && next.expiresAt >= end)
                end = next.expiresAt
            }
            let last = try renewed(try await bench.renew(session, lifetime: 1000))
            #expect(last.expiresAt.seconds == issued.issuedAt.seconds + 150)
            #expect(try bench.command("ZSCORE", "t:{3}:u:\(Bench.user)", "\(session) ") == "\(last.expiresAt.seconds)")
            let left = try #require(Int64(try bench.command("TTL", "t:{3}:s:\(session)")))
            let now = try await bench.open().time.seconds
            #expect((now + left - 1...now + left + 1).contains(last.expiresAt.seconds + 90))
        }
    }

    @Test("refuses what is revoked, over, of another user, or not there")
    func refusals() async throws {
        try await Bench.run { bench in
            guard let user = UserID(Bench.user) else { return }
            let known = bench.known(try await bench.open().incarnation)
            let (tombstoned, _) = try await bench.issue(1)
            let (cutOff, _) = try await bench.issue(2)
            let (over, _) = try await bench.issue(3, lifetime: 0)
            _ = try await bench.revoke(.session(tombstoned, user: nil, device: nil), known: known)
            expectRefused(try await bench.renew(tombstoned), .sessionRevoked)
            expectRefused(try await bench.renew(over), .sessionExpired)
            _ = try await bench.revoke(.user(user), known: known)
            // Its record may still be there: whoever revoked deletes it behind the change.
            expectRefused(try await bench.renew(cutOff), .sessionRevoked)
            expectRefused(
                try await bench.renew(SessionID(partition: Bench.partition, high: 7, low: 99)), .sessionNotFound)
            _ = try renewed(try await bench.renew(try await bench.issue(4).0))
            _ = try await bench.revoke(.everyone, known: known)
            expectRefused(
                try await bench.renew(SessionID(partition: Bench.partition, high: 7, low: 4)), .sessionRevoked)
        }
    }

    @Test("gives the same pair within the grace, and ends the session by an event when an old one comes later")
    func generations() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, hasRefreshToken: true)
            let first = try renewed(try await bench.renew(session, generation: 1))
            let again = try renewed(try await bench.renew(session, generation: 1))
            #expect(first.generation == 2 && again.generation == 2)
            #expect(first.renewedAt == again.renewedAt && first.expiresAt == again.expiresAt)
            #expect(try renewed(try await bench.renew(session, generation: 2)).generation == 3)
            // Its answer was slow: the next one has been used meanwhile, within the same grace.
            let late = try renewed(try await bench.renew(session, generation: 1))
            #expect(late.generation == 2 && late.renewedAt == first.renewedAt)
            #expect(try renewed(try await bench.renew(session, generation: 3)).generation == 4)
            _ = try renewed(try await bench.renew(session, generation: 4, grace: 0))
            let reply = try await bench.renew(session, generation: 1)
            guard case .reused(let events) = reply else {
                Issue.record("\(reply)")
                return
            }
            #expect(events.map(\.change) == [.sessions([session])])
            #expect(events.map(\.reason) == ["refresh_token_reused"])
            expectRefused(try await bench.renew(session, generation: 3), .sessionRevoked)
            #expect(try bench.command("EXISTS", "t:{3}:s:\(session)", "t:{3}:u:\(Bench.user)") == "0")
        }
    }

    @Test("takes a generation that Redis has lost for the good one")
    func lostGeneration() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, hasRefreshToken: true)
            #expect(try renewed(try await bench.renew(session, generation: 2)).generation == 3)
        }
    }

    @Test("without a grace a second use is a reuse")
    func noGrace() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, hasRefreshToken: true)
            _ = try renewed(try await bench.renew(session, generation: 1, grace: 0))
            guard case .reused = try await bench.renew(session, generation: 1, grace: 0) else {
                Issue.record("it was renewed")
                return
            }
        }
    }

    @Test("takes permissions over that changed since, and a forgotten change has left them in the records")
    func permissions() async throws {
        try await Bench.run { bench in
            guard let user = UserID(Bench.user), let docs = Permissions(["docs:read", "b"]) else { return }
            let known = bench.known(try await bench.open().incarnation)
            let (early, _) = try await bench.issue(1)
            let (late, _) = try await bench.issue(2)
            let options = ChangeOptions()
            let changed = try ChangeReply(
                try await bench.redis.run(
                    bench.calls.permissions(of: user, to: docs, in: Bench.partition, options: options, known)),
                operation: "permissions")
            let session = try renewed(try await bench.renew(early))
            #expect(session.permissions == docs && session.permissionsVersion == changed.stamp.microseconds)
            // Its time is over.
            _ = try bench.command("ZADD", "t:{3}:revoked", "1000", "p:\(Bench.user)")
            let now = try await bench.open().time
            _ = try await bench.redis.run(
                bench.calls.sweep(
                    Bench.partition, [SweptEntry(member: "p:\(Bench.user)", sessions: [early, late], isAll: true)],
                    wall: now, past: now, idle: [], known))
            #expect(try bench.command("ZCARD", "t:{3}:revoked") == "0")
            #expect(try renewed(try await bench.renew(late)).permissions == docs)
        }
    }

    @Test("what is forgotten takes along what it ended, so that a record that a lost write left behind can't come back")
    func forgottenTogether() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            let (tombstoned, _) = try await bench.issue(1)
            let (older, reply) = try await bench.issue(2)
            let (newer, _) = try await bench.issue(3)
            _ = try bench.command("ZADD", "t:{3}:revoked", "1000", "s:\(tombstoned)", "1000", "u:\(Bench.user)")
            _ = try bench.command(
                "HSET", "t:{3}:values", "u:\(Bench.user)", "\(reply.stamp.microseconds + 1)")
            let now = try await bench.open().time
            func sweep(isAll: Bool) async throws {
                _ = try await bench.redis.run(
                    bench.calls.sweep(
                        Bench.partition,
                        [
                            SweptEntry(member: "s:\(tombstoned)", sessions: [tombstoned], isAll: true),
                            SweptEntry(member: "u:\(Bench.user)", sessions: [older, newer], isAll: isAll),
                        ], wall: now, past: now, idle: [], known))
            }
            try await sweep(isAll: false)
            #expect(try bench.command("ZRANGE", "t:{3}:revoked", "0", "-1") == "u:\(Bench.user)")
            try await sweep(isAll: true)
            #expect(try bench.command("ZCARD", "t:{3}:revoked") == "0")
            expectRefused(try await bench.renew(tombstoned), .sessionNotFound)
            expectRefused(try await bench.renew(older), .sessionNotFound)
            _ = try renewed(try await bench.renew(newer))
        }
    }

    @Test("the cutoffs of a tenant and of everyone outlast every session that may still be renewed")
    func longCutoffs() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            let (_, issued) = try await bench.issue(1, absolute: 50_000)
            let reply = try await bench.revoke(.everyone, known: known)
            #expect(reply.events[0].until.seconds >= issued.issuedAt.seconds + 50_000)
        }
    }
}
