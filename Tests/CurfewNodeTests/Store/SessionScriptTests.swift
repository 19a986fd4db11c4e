// The scripts that begin and end sessions, on a real Redis: what a target ends, what it leaves alone, what is left behind.

import CurfewCore
import CurfewRedis
import TestSupport
import Testing

@testable import CurfewNode

@Suite("Sessions in Redis")
struct SessionScriptTests {
    private typealias Bench = ScriptBench

    @Test("a read finds a session of its own user only: who forges a token must know both")
    func readByAnother() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1)
            #expect(try await bench.read(session).exists)
            #expect(try await bench.read(session, as: "u_43").exists == false)
        }
    }

    @Test("end by device, by all but one, and by user: what was named ends, the rest stays")
    func targets() async throws {
        try await Bench.run { bench in
            guard let user = UserID(Bench.user), let phone = DeviceID("my phone") else { return }
            let known = bench.known(try await bench.open().incarnation)
            let first = try await bench.issue(1, device: "my phone").0
            let second = try await bench.issue(2, device: "my phone").0
            let third = try await bench.issue(3, device: "tablet").0
            let fourth = try await bench.issue(4).0

            let byDevice = try await bench.revoke(.device(user, phone), known: known)
            #expect(byDevice.revoked == 2)
            #expect(Set(byDevice.ended.map(\.session)) == [first, second])
            let again = try await bench.revoke(.device(user, phone), known: known)
            #expect(again.events.map(\.change) == [.nothing] && again.revoked == 0)

            let others = try await bench.revoke(.except(user, fourth), known: known)
            #expect(others.ended.map(\.session) == [third])

            let all = try await bench.revoke(.user(user), known: known)
            #expect(all.revoked == 1, "those that have ended before are not counted again")
            #expect(Set(all.ended.map(\.session)) == [first, second, third, fourth])
            #expect(all.events.map(\.change) == [.user(user, all.stamp)])
            #expect(try await bench.revoke(.user(user), known: known).revoked == 0)
            #expect(try await bench.issue(5).1.stamp > all.stamp)
        }
    }

    @Test("whatever a node asks of a Redis that lost its data brings back the highest stamp that it knows")
    func bringsBack() async throws {
        try await Bench.run { bench in
            guard let user = UserID(Bench.user) else { return }
            let (session, _) = try await bench.issue(1)
            var mark = UInt64(try await bench.open().time.seconds + 3_600) * 1_000_000
            let known = { (mark: UInt64) in bench.known(nil, mark: mark) }
            let calls: [(String, (ScriptCalls.Known) -> RedisScriptCall)] = [
                (
                    "sweep",
                    { bench.calls.sweep(Bench.partition, [], wall: WallTime(seconds: 0), past: nil, idle: [], $0) }
                ),
                ("touch", { bench.calls.touch([(session, 1)], in: Bench.partition, $0) }),
                ("expire", { bench.calls.expire([(session, user, nil)], in: Bench.partition, $0) }),
                ("patch", { bench.calls.patch(session, revision: 9, fields: [], $0) }),
            ]
            for (name, call) in calls {
                mark += 1
                _ = try await bench.redis.run(call(known(mark)))
                #expect(try bench.command("HGET", "t:{3}:head", "mark") == "\(mark)", "\(name)")
                // Nor does it take one back.
                _ = try await bench.redis.run(call(known(1)))
                #expect(try bench.command("HGET", "t:{3}:head", "mark") == "\(mark)", "\(name)")
            }
            _ = try bench.command("DEL", "t:{3}:head")
            for (_, call) in calls { _ = try await bench.redis.run(call(known(mark))) }
            #expect(try bench.command("EXISTS", "t:{3}:head") == "0", "they need no log, and begin none")
        }
    }

    @Test(
        "stay named until their records are gone: who was to delete them may never come, and the sweeper does",
        arguments: ["user", "device"])
    func leftBehind(target: String) async throws {
        try await Bench.run { bench in
            guard let user = UserID(Bench.user), let phone = DeviceID("phone") else { return }
            let known = bench.known(try await bench.open().incarnation)
            let session = try await bench.issue(1, device: "phone", idle: 100).0
            let other = try await bench.issue(2, device: "phone", idle: 100).0
            let reply = try await bench.revoke(
                target == "user" ? .user(user) : .device(user, phone), known: known)
            #expect(Set(reply.ended.map(\.session)) == [session, other])
            // The caller's connection was lost behind the script.
            for one in [session, other] {
                #expect(try bench.command("ZSCORE", "t:{3}:due", "\(one)") == "0")
                #expect(try bench.command("ZSCORE", "t:{3}:u:\(Bench.user)", "\(one) phone") != "")
            }
            // A use that is told late may give it another place in the queue.
            if target == "user" {
                _ = try bench.command("HSET", "t:{3}:s:\(other)", "a", "1")
                _ = try bench.command("ZADD", "t:{3}:due", "1", "\(other)")
            }
            // Whose clock is off may do this, too: it goes by no clock.
            let now = try await bench.open().time.seconds
            for wall in [0, now] {
                let known = bench.known(known.incarnation, wall: wall)
                let swept = try ExpireReply(
                    try await bench.redis.run(
                        bench.calls.expire(
                            [(session, user, phone), (other, user, phone)], in: Bench.partition, known)))
                #expect(swept.idle == 0 && swept.ended.isEmpty && swept.events.isEmpty, "it has ended before")
                #expect(try bench.command("EXISTS", "t:{3}:s:\(session)") == "0")
            }
            #expect(
                try bench.command("EXISTS", "t:{3}:s:\(other)", "t:{3}:u:\(Bench.user)", "t:{3}:due") == "0")
        }
    }

    @Test("write a tombstone and an event even where the session is unknown, and count only what lived")
    func unknownSession() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            let ghost = SessionID(partition: Bench.partition, high: 9, low: 9)
            let reply = try await bench.revoke(.session(ghost, user: nil, device: nil), known: known)
            #expect(reply.revoked == 0)
            #expect(reply.events.map(\.change) == [.sessions([ghost])])
            #expect(try bench.command("ZSCORE", "t:{3}:revoked", "s:\(ghost)") != "")
            let (session, _) = try await bench.issue(1)
            let target = PartitionTarget.session(session, user: UserID(Bench.user), device: nil)
            #expect(try await bench.revoke(target, known: known).revoked == 1)
            #expect(try await bench.revoke(target, known: known).revoked == 0)
        }
    }

    @Test("more of one device than an event may name end in several events of one change")
    func manySessions() async throws {
        try await Bench.run { bench in
            guard let user = UserID(Bench.user), let phone = DeviceID("phone") else { return }
            let known = bench.known(try await bench.open().incarnation)
            for index in 0..<300 { _ = try await bench.issue(UInt64(index), device: "phone") }
            let reply = try await bench.revoke(.device(user, phone), known: known)
            #expect(reply.revoked == 300)
            #expect(reply.events.map(\.entries.count) == [256, 44])
            #expect(reply.events[1].previous == reply.events[0].position.tag)
        }
    }

    @Test("keep tombstones until no token can live, by the longest lifetime that anybody signed with")
    func tombstoneLifetime() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            let other = ScriptCalls(
                keys: bench.calls.keys, nodeID: NodeID(random: 2),
                habit: ServingHabit(servesStale: true, staleness: .milliseconds(750)), logWindow: 10,
                longestTokenLifetime: 5000)
            let answer = try await bench.poll(LogPosition(seq: 1, tag: EventTag(1)), calls: other)
            #expect(answer.members[NodeID(random: 2)]?.habit == other.habit)
            let reply = try await bench.revoke(.everyone, known: known)
            let now = Int64(reply.stamp.microseconds / 1_000_000)
            #expect(abs(reply.events[0].until.seconds - (now + 5000 + 90)) <= 1)
        }
    }

    @Test("keep a change by the asking node's clock where Redis' own was set back, and by a wild one for a day")
    func tombstoneLifetimeByTheNodesClock() async throws {
        try await Bench.run { bench in
            let incarnation = try await bench.open().incarnation
            let user = try #require(UserID(Bench.user))
            func kept(aheadBy ahead: Int64) async throws -> Int64 {
                let now = Int64(try await bench.issue(UInt64(2_000_000 + ahead)).1.stamp.microseconds / 1_000_000)
                let known = bench.known(incarnation, wall: now + ahead)
                return try await bench.revoke(.user(user), known: known).events[0].until.seconds - now - 100 - 90
            }
            #expect((0...1).contains(try await kept(aheadBy: -1000)))
            #expect((1000...1001).contains(try await kept(aheadBy: 1000)))
            #expect((86_400...86_401).contains(try await kept(aheadBy: 1_000_000)))
        }
    }

    @Test("leave no index behind when they run out, and hold no key without a time to live but the list's own")
    func indexGoesWithItsLastMember() async throws {
        try await Bench.run { bench in
            let (session, _) = try await bench.issue(1, lifetime: 1)
            // A session stays in the index for as long as its token may be taken for good: leeway and skew longer.
            let left = try bench.command("TTL", "t:{3}:u:\(Bench.user)")
            #expect((85...91).contains(Int(left) ?? -1))
            let record = try bench.command("TTL", "t:{3}:s:\(session)")
            #expect((85...91).contains(Int(record) ?? -1), "who comes late is told that it ran out")
            for list in ["head", "log", "revoked", "values", "nodes"] {
                #expect(Int(try bench.command("TTL", "t:{3}:\(list)")) ?? 0 < 0, "\(list)")
            }
        }
    }

    @Test(
        "are swept when their time is over, but not by a node whose clock is off or before it may forget, nor a node that moved"
    )
    func sweep() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            _ = try bench.command("ZADD", "t:{3}:revoked", "1000", "u:old", "9999999999", "u:new")
            _ = try bench.command("HSET", "t:{3}:values", "u:old", "1", "u:new", "2")
            _ = try bench.command("HSET", "t:{3}:nodes", "n1", "a", "n2", "b")
            let now = Int64(try await bench.open().time.seconds)
            func sweep(_ wall: Int64, past: Int64?) async throws -> SweepReply {
                try SweepReply(
                    try await bench.redis.run(
                        bench.calls.sweep(
                            Bench.partition,
                            ["u:old", "u:new"].map { SweptEntry(member: $0, sessions: [], isAll: true) },
                            wall: WallTime(seconds: wall), past: past.map { WallTime(seconds: $0) },
                            idle: [(NodeID(random: 5), "x")], known)))
            }
            #expect(try await sweep(now + 300, past: now).past == nil)
            #expect(try await sweep(now, past: nil).past == nil)
            #expect(try await sweep(now, past: 1000).past == WallTime(seconds: 1000))
            #expect(try bench.command("ZCARD", "t:{3}:revoked") == "2")
            #expect(try await sweep(now, past: now).gone == 1)
            #expect(try await sweep(now, past: 2000).past == WallTime(seconds: now))
            #expect(try bench.command("ZCARD", "t:{3}:revoked") == "1")
            #expect(try bench.command("HGET", "t:{3}:values", "u:new") == "2")
            #expect(try bench.command("HEXISTS", "t:{3}:values", "u:old") == "0")
            #expect(try bench.command("HLEN", "t:{3}:nodes") == "2")
        }
    }
}
