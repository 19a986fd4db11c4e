// What ends a session that nobody uses, and what keeps it: on a real Redis.

import CurfewCore
import CurfewRedis
import TestSupport
import Testing

@testable import CurfewNode

private typealias Bench = ScriptBench

@Suite("Idle sessions in Redis") struct IdleScriptTests {
    /// As if nobody had used it for so long.
    private func age(_ session: SessionID, by seconds: Int64, _ bench: Bench) throws {
        let record = "t:{3}:s:\(session)"
        let active = try #require(Int64(try bench.command("HGET", record, "a")))
        _ = try bench.command("HSET", record, "a", "\(active - seconds)")
        let due = try #require(Double(try bench.command("ZSCORE", "t:{3}:due", "\(session)")))
        _ = try bench.command("ZADD", "t:{3}:due", "\(Int64(due) - seconds)", "\(session)")
    }

    private func expire(
        _ sessions: [SessionID], device: String? = nil, skew: Int64 = 0, _ bench: Bench
    ) async throws -> ExpireReply {
        let opened = try await bench.open()
        let known = bench.known(opened.incarnation, wall: opened.time.seconds + skew)
        return try ExpireReply(
            try await bench.redis.run(
                bench.calls.expire(
                    sessions.map { ($0, UserID(Bench.user), device.flatMap { DeviceID($0) }) }, in: Bench.partition,
                    known)))
    }

    private func touch(_ session: SessionID, secondsAgo: Int64 = 0, _ bench: Bench) async throws -> RedisValue {
        try await bench.redis.run(
            bench.calls.touch([(session, secondsAgo)], in: Bench.partition, bench.known(nil))
        )
    }

    @Test("end by one event and a tombstone, and leave nothing else behind; those that were used meanwhile stay")
    func idle() async throws {
        try await Bench.run { bench in
            let (idle, _) = try await bench.issue(1, device: "phone", idle: 100)
            let (used, _) = try await bench.issue(2, device: "phone", idle: 100)
            let (endless, _) = try await bench.issue(3, device: "phone")
            for session in [idle, endless] { try age(session, by: 101, bench) }
            try age(used, by: 90, bench)
            #expect(try await touch(used, bench) == .integer(1))
            let reply = try await expire([idle, used, endless], device: "phone", bench)
            #expect(reply.left == 1 && reply.idle == 1 && reply.ended == [idle])
            let again = try await expire([idle, used, endless], device: "phone", bench)
            #expect(again.idle == 0 && again.ended.isEmpty, "another sweeper ends it no second time")
            #expect(reply.events.map(\.change) == [.expired([idle])])
            #expect(reply.events.first?.reason == "session_expired")
            #expect(try bench.command("ZRANGE", "t:{3}:revoked", "0", "-1") == "x:\(idle)")
            #expect(try bench.command("EXISTS", "t:{3}:s:\(idle)") == "0")
            #expect(try bench.command("ZCARD", "t:{3}:u:\(Bench.user)") == "2")
            #expect(try bench.command("ZCARD", "t:{3}:due") == "2")
            for refused in [idle] {
                guard case .refused(.sessionExpired) = try await bench.renew(refused) else {
                    Issue.record("an idle session was renewed")
                    continue
                }
            }
            guard case .renewed = try await bench.renew(used) else { return #expect(Bool(false), "not renewed") }
        }
    }

    @Test("are renewed by nobody once their time is over, swept or not")
    func renewal() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, idle: 100)
            try age(session, by: 90, bench)
            guard case .renewed = try await bench.renew(session) else { return #expect(Bool(false), "not renewed") }
            let due = try #require(Double(try bench.command("ZSCORE", "t:{3}:due", "\(session)")))
            let now = try await bench.open().time.seconds
            #expect(abs(Int64(due) - now - 100) <= 2, "a renewal counts as use")
            try age(session, by: 100, bench)
            guard case .refused(.sessionExpired) = try await bench.renew(session) else {
                return #expect(Bool(false), "renewed")
            }
        }
    }

    @Test("news of use never goes back, and creates and revives nothing")
    func touches() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, idle: 100)
            let nobody = SessionID(partition: Bench.partition, high: 7, low: 99)
            #expect(try await touch(nobody, bench) == .integer(0))
            #expect(try bench.command("EXISTS", "t:{3}:s:\(nobody)") == "0")
            #expect(try await touch(session, secondsAgo: 50, bench) == .integer(0), "older than what is known")
            try age(session, by: 90, bench)
            #expect(try await touch(session, secondsAgo: 40, bench) == .integer(1))
            #expect(try await touch(session, secondsAgo: 60, bench) == .integer(0))
            let now = try await bench.open().time.seconds
            let active = try #require(Int64(try bench.command("HGET", "t:{3}:s:\(session)", "a")))
            #expect(abs(now - 40 - active) <= 2)
            // Ended, and a lost write left the record behind.
            _ = try bench.command("ZADD", "t:{3}:revoked", "9999999999", "s:\(session)")
            #expect(try await touch(session, bench) == .integer(0))
            // By a cutoff: it stays first in the queue until its record is gone.
            let (other, _) = try await bench.issue(2, idle: 100)
            try age(other, by: 50, bench)
            _ = try bench.command("ZADD", "t:{3}:due", "0", "\(other)")
            #expect(try await touch(other, bench) == .integer(0))
            #expect(try bench.command("ZSCORE", "t:{3}:due", "\(other)") == "0")
        }
    }

    @Test("a use that comes after the deadline is too late, swept or not")
    func tooLate() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, idle: 100)
            try age(session, by: 102, bench)
            #expect(try await touch(session, bench) == .integer(0))
            #expect(try await touch(session, secondsAgo: 3, bench) == .integer(1), "that was in time")
        }
    }

    @Test(
        "a session that a cutoff ended goes without a tombstone of its own",
        arguments: ["user", "everyone"])
    func cutOff(target: String) async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            let (session, _) = try await bench.issue(1, idle: 100)
            try age(session, by: 101, bench)
            let user = try #require(UserID(Bench.user))
            _ = try await bench.revoke(target == "user" ? .user(user) : .everyone, known: known)
            let reply = try await expire([session], bench)
            #expect(reply.left == 1 && reply.idle == 0 && reply.events.isEmpty)
            // It was given no device to look for in the index.
            #expect(try bench.command("EXISTS", "t:{3}:due", "t:{3}:s:\(session)") == "0")
        }
    }

    @Test("a session over age just leaves the queue, and who comes late is told")
    func overAge() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, lifetime: 1, idle: 100)
            try await eventually("its time is over") { try await expire([session], bench).left == 1 }
            #expect(try bench.command("EXISTS", "t:{3}:due", "t:{3}:revoked") == "0")
            guard case .refused(.sessionExpired) = try await bench.renew(session) else {
                return #expect(Bool(false), "renewed")
            }
        }
    }

    @Test("nothing is ended by a node whose clock is off")
    func clockSkew() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, idle: 100)
            try age(session, by: 1000, bench)
            for skew: Int64 in [-40, 40] { #expect(try await expire([session], skew: skew, bench).left == 0) }
        }
    }

    @Test("a Redis that lacks such an end is told again, and the snapshot has it")
    func reasserted() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            let session = SessionID(partition: Bench.partition, high: 1, low: 2)
            let entry = ReplicatedEntry(change: .expired([session]), until: WallTime(seconds: 9_999_999_999))
            _ = try await bench.redis.run(bench.calls.reassert([entry][...], in: Bench.partition, known))
            #expect(try bench.command("ZRANGE", "t:{3}:revoked", "0", "-1") == "x:\(session)")
            let log = try bench.command("XRANGE", "t:{3}:log", "-", "+")
            #expect(log.contains("expired") && log.contains("\(session)"))
            #expect(
                entry.stored.flatMap { ReplicatedEntry(member: $0.member, value: $0.value, until: entry.until) }
                    == entry)
        }
    }
}
