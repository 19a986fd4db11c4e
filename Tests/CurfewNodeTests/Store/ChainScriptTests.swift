// The scripts that keep the chain, on a real Redis: heads, polls, stamps, re-assertion. What they promise each other is in
// docs/protocol.md.

import CurfewCore
import CurfewRedis
import TestSupport
import Testing

@testable import CurfewNode

@Suite("The chain in Redis")
struct ChainScriptTests {
    private typealias Bench = ScriptBench

    @Test("begins with an event of its own, whose tag every later one continues")
    func chain() async throws {
        try await Bench.run { bench in
            let head = try await bench.open()
            #expect(head.head.seq == 1)
            #expect(try await bench.open().head == head.head)
            var previous = head.head
            for index in 0..<5 {
                let (session, _) = try await bench.issue(UInt64(index))
                let reply = try await bench.revoke(
                    .session(session, user: UserID(Bench.user), device: nil), known: bench.known(head.incarnation))
                #expect(reply.previous == previous.tag)
                #expect(reply.head.seq == previous.seq + 1)
                #expect(reply.events.map(\.change) == [.sessions([session])])
                #expect(reply.revoked == 1)
                previous = reply.head
            }
            let entry = try bench.command("XRANGE", "t:{3}:log", "4-0", "4-0")
            #expect(entry.contains("sessions"))
        }
    }

    @Test("tells a poll whether it has the very entry that the node applied")
    func pollVerdicts() async throws {
        try await Bench.run(logWindow: 3) { bench in
            let head = try await bench.open()
            #expect(try await bench.poll(head.head).verdict == .same)
            #expect(try await bench.poll(LogPosition(seq: 1, tag: EventTag(9))).verdict == .fork)
            #expect(try await bench.poll(LogPosition(seq: 2, tag: EventTag(9))).verdict == .fork)
            var last = head.head
            for _ in 0..<300 {
                last = try await bench.revoke(.everyone, known: bench.known(head.incarnation)).head
            }
            #expect(try await bench.poll(last).verdict == .same)
            #expect(try await bench.poll(head.head).verdict == .trimmed)
            #expect(try await bench.poll(LogPosition(seq: last.seq - 1, tag: EventTag(9))).verdict == .fork)
            let answer = try await bench.poll(last)
            #expect(answer.head == last)
            #expect(answer.incarnation == head.incarnation)
        }
    }

    @Test("counts a node up at every poll, and notes what it applied only where that is on the chain")
    func membership() async throws {
        try await Bench.run { bench in
            let head = try await bench.open()
            let id = bench.calls.nodeID
            #expect(try await bench.poll(head.head).members[id]?.count == 1)
            let answer = try await bench.poll(LogPosition(seq: 1, tag: EventTag(9)))
            #expect(answer.members[id]?.count == 2)
            #expect(answer.members[id]?.applied == head.head)
            #expect(answer.members[id]?.servesStale == false)
        }
    }

    @Test("gives every stamp once, above every mark that a node brings")
    func stamps() async throws {
        try await Bench.run { bench in
            var last = Stamp.zero
            for index in 0..<50 {
                let stamp = try await bench.issue(UInt64(index)).1.stamp
                #expect(stamp > last)
                last = stamp
            }
            let far = last.microseconds + 3_600_000_000
            _ = try await bench.redis.run(
                bench.calls.poll(Bench.partition, bench.known(nil, mark: far), applied: .init(seq: 1, tag: EventTag(1)))
            )
            #expect(try await bench.issue(99).1.stamp.microseconds == far + 1)
        }
    }

    @Test("raises a cutoff by the skew bound in a term's first moments and in a log that the node does not follow")
    func cutoffsOfAYoungTerm() async throws {
        try await Bench.run { bench in
            let head = try await bench.open()
            let usual = try await bench.revoke(.everyone, known: bench.known(head.incarnation)).stamp.microseconds
            let young = try await bench.revoke(.everyone, known: bench.known(head.incarnation, young: true)).stamp
            #expect(young.microseconds >= usual + 30_000_000)
            #expect(try await bench.issue(1).1.stamp > young, "a token given later is above it all the same")
        }
        try await Bench.run { bench in
            let head = try await bench.open()
            let usual = try await bench.revoke(.everyone, known: bench.known(head.incarnation)).stamp.microseconds
            let foreign = try await bench.revoke(.everyone, known: bench.known("another")).stamp
            #expect(foreign.microseconds >= usual + 30_000_000)
        }
    }

    @Test("raises a cutoff in a reign that the node has not seen yet, on the connection that it had before")
    func cutoffsOfAnUnseenReign() async throws {
        try await Bench.run { bench in
            let head = try await bench.open()
            let known = bench.known(head.incarnation)
            let usual = try await bench.revoke(.everyone, known: known).stamp.microseconds
            _ = try bench.command("REPLICAOF", "127.0.0.1", "1")
            _ = try bench.command("REPLICAOF", "NO", "ONE")
            let unseen = try await bench.revoke(.everyone, known: known).stamp.microseconds
            #expect(unseen >= usual + 30_000_000)
        }
    }

    @Test("raises no cutoff further ahead of the clock than the skew bound, however many there are")
    func cutoffsStayNear() async throws {
        try await Bench.run { bench in
            let head = try await bench.open()
            let known = bench.known(head.incarnation, young: true)
            let first = try await bench.revoke(.everyone, known: known).stamp.microseconds
            var last = first
            for _ in 0..<20 { last = try await bench.revoke(.everyone, known: known).stamp.microseconds }
            #expect(last > first && last < first + 30_000_000)
        }
    }

    @Test("starts another incarnation where its data was lost")
    func lostData() async throws {
        try await Bench.run { bench in
            let head = try await bench.open()
            _ = try bench.command("FLUSHALL")
            let answer = try await bench.poll(head.head)
            #expect(answer.verdict == .fork)
            #expect(answer.incarnation != head.incarnation)
        }
    }

    @Test("keeps what is written again for as long as whoever knew it, and nothing shorter takes that away")
    func keptAsLong() async throws {
        try await Bench.run { bench in
            let known = bench.known(try await bench.open().incarnation)
            let session = SessionID(partition: Bench.partition, high: 1, low: 2)
            let user = try #require(UserID(Bench.user))
            let until = WallTime(seconds: 9_999_999_999)
            let changes = [
                Change.sessions([session]), .expired([session]), .superseded(session, graceMilliseconds: 0),
                .user(user, Stamp(5)), .everyone(Stamp(5)), .permissions(user, .none, Stamp(5)),
            ]
            let entries = changes.map { ReplicatedEntry(change: $0, until: until) }
            _ = try await bench.redis.run(bench.calls.reassert(entries[...], in: Bench.partition, known))
            let shorter = changes.map { ReplicatedEntry(change: $0, until: WallTime(seconds: 9_999_999_000)) }
            _ = try await bench.redis.run(bench.calls.reassert(shorter[...], in: Bench.partition, known))
            _ = try await bench.revoke(.session(session, user: nil, device: nil), known: known)
            _ = try await bench.revoke(.user(user), known: known)
            _ = try await bench.revoke(.everyone, known: known)
            for entry in entries {
                let member = try #require(entry.stored?.member)
                #expect(try bench.command("ZSCORE", "t:{3}:revoked", member) == "9999999999", "\(member)")
            }
        }
    }

    @Test("takes what it lacks once, and tells it to everybody by events")
    func reassertion() async throws {
        try await Bench.run { bench in
            let head = try await bench.open()
            let session = SessionID(partition: Bench.partition, high: 1, low: 2)
            guard let user = UserID("a b"), let tenant = TenantID("acme"), let permissions = Permissions(["x:y", "z"])
            else { return }
            let until = WallTime(seconds: 4_000_000_000)
            let entries = [
                Change.sessions([session]), .user(user, Stamp(70)), .tenant(tenant, Stamp(71)), .everyone(Stamp(72)),
                .permissions(user, permissions, Stamp(73)),
            ].map { ReplicatedEntry(change: $0, until: until) }
            func reassert(_ entries: [ReplicatedEntry]) async throws -> [RedisValue] {
                try await bench.redis.run(
                    bench.calls.reassert(entries[...], in: Bench.partition, bench.known(head.incarnation))
                ).array(for: "reassert")
            }
            #expect(try await reassert(entries)[0] == .integer(5))
            #expect(try await reassert(entries)[0] == .integer(0))
            let log = try bench.command("XRANGE", "t:{3}:log", "-", "+")
            for kind in ["sessions", "user", "tenant", "everyone", "permissions"] { #expect(log.contains("\t\(kind)")) }
            #expect(try bench.command("HGET", "t:{3}:values", "u:a b") == "70")
            #expect(try bench.command("HGET", "t:{3}:values", "p:a b") == "73\tx:y\tz")
            let later = ReplicatedEntry(change: .user(user, Stamp(80)), until: until)
            let earlier = ReplicatedEntry(change: .user(user, Stamp(60)), until: until)
            #expect(try await reassert([later, earlier])[0] == .integer(1))
            #expect(try bench.command("HGET", "t:{3}:values", "u:a b") == "80")
        }
    }
}
