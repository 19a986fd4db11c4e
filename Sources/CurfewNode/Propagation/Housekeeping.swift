// What ends or is forgotten when its time is over: tombstones in memory (a bounded number of slots a second), the same in Redis,
// sessions that are idle or over age, and nodes that stood still for a minute. Every node does it; two at once do no harm.

import CurfewCore
import CurfewRedis
import Logging

extension FeedDriver {
    static let sweepInterval = Duration.seconds(1)
    static let sweepBatchEntries = 500
    /// Sessions that one batch looks at.
    static let sweepBatchSessions = 1_000
    /// Sessions that one batch ends.
    static let expiryBatch = 200
    /// Partitions that are swept each second, in Redis: with more of them each has its turn once in a while.
    static let sweepsPerSecond = 64
    static let expirySlotsPerSweep = 10_000

    /// Sweeps until cancelled, once a second: every partition in memory, in Redis a bounded number of them.
    package func keepHouse() async {
        var chance = Chance(surroundings)
        var turn = Int.random(in: partitions.indices, using: &chance)
        while !Task.isCancelled {
            try? await surroundings.sleep(for: Self.sweepInterval)
            let (wall, now, age) = (clock.wall(), clock.boot(), clock.age())
            for partition in partitions {
                table.withPartition(partition) { slot in forget(&slot, wall: wall, now: now, age: age) }
            }
            for primary in allPrimaries { await primary.rememberPartitionCount() }
            for _ in 0..<min(partitions.count, Self.sweepsPerSecond) {
                turn = (turn + 1) % partitions.count
                await sweep(partitions[turn], wall: wall)
            }
        }
    }

    /// Forgets by a clock that no step of the wall clocks hurries (ForgettingClock). A tombstone dropped early would un-revoke: a
    /// node that is not fresh, whose clock is off, or that has not asked its Redis how far the others came forgets nothing.
    private func forget(_ slot: inout PartitionSlot, wall: WallTime, now: BootTime, age: BootTime) {
        guard slot.feed.isFresh(at: now), let redisTime = slot.feed.redisTime else { return }
        slot.forgetting.look(
            wall: wall, redis: redisTime, at: age,
            keptFor: slot.feed.longestTokenLifetime + ForgettingClock.slackSeconds)
        guard let past = slot.forgetting.time else { return }
        _ = slot.state.expire(now: past, budget: Self.expirySlotsPerSweep)
    }

    /// A member that stood still for this long is removed: never one that a fence may still have to wait for.
    private func idleNodeRemoval(_ bounds: FeedBounds) -> Duration {
        max(.seconds(60), (bounds.patience + pollInterval) * 2)
    }

    private func sweep(_ partition: Partition, wall: WallTime) async {
        let now = clock.boot()
        let found = table.withPartition(partition) { slot -> (idle: [NodeID: MemberRecord], past: WallTime?)? in
            guard slot.feed.phase == .following else { return nil }
            return (
                slot.feed.membership.idle(for: idleNodeRemoval(slot.feed.longestBounds), at: now), slot.forgetting.time
            )
        }
        guard let (idle, past) = found else { return }
        do throws(RedisError) {
            let link = try link(of: partition, for: "sweep").link
            let entries = try await overdue(partition, wall: wall, past: past, on: link)
            let call = calls.sweep(
                partition, entries, wall: wall, past: past,
                idle: idle.sorted { $0.key.text < $1.key.text }.map { ($0.key, $0.value.text) }, known(partition))
            let answer = try SweepReply(try await link.run(call))
            if past == nil { resume(partition, from: answer) }
            try await expireSessions(of: partition, wall: wall, on: link)
        } catch {
            logger.debug("sweep failed", metadata: ["error": "\(error)"])
        }
    }

    /// A node that has just started forgets from where the others came to: its own clocks may have been wrong since before it began.
    private func resume(_ partition: Partition, from answer: SweepReply) {
        let (wall, now, age) = (clock.wall(), clock.boot(), clock.age())
        table.withPartition(partition) { slot in
            guard slot.feed.isFresh(at: now), let redisTime = slot.feed.redisTime else { return }
            slot.forgetting.resume(from: answer.past, wall: wall, redis: redisTime, at: age)
        }
    }

    /// Ends what is due, and deletes what a revoke has ended and left: a batch of it, the rest comes with the next turns. The script looks again, since a session may be used or
    /// renewed meanwhile.
    private func expireSessions(
        of partition: Partition, wall: WallTime, on link: any RedisLink
    ) async throws(RedisError) {
        let members = try await link.send(
            RedisCommand(
                "ZRANGEBYSCORE",
                [
                    RedisArgument(calls.keys.due(partition)), "-inf", RedisArgument("(\(wall.seconds)"), "LIMIT", "0",
                    RedisArgument(Self.expiryBatch),
                ]), timeout: nil
        ).array(for: "ZRANGEBYSCORE")
        guard !members.isEmpty else { return }
        var sessions: [SessionID] = []
        for member in members {
            if let session = SessionID(try member.text(for: "ZRANGEBYSCORE")) { sessions.append(session) }
        }
        let records = try await link.pipeline(
            sessions.map { RedisCommand("HMGET", [RedisArgument(calls.keys.record($0)), "u", "d", "c"]) }, timeout: nil)
        var due: [(session: SessionID, user: UserID?, device: DeviceID?)] = []
        var created: [SessionID: WallTime] = [:]
        for (session, record) in zip(sessions, records) {
            let texts = try record.checked(for: "HMGET").array(for: "HMGET").map { try? $0.text(for: "HMGET") }
            guard texts.count == 3 else { throw .unexpectedReply(operation: "HMGET", expected: "three fields") }
            due.append((session, texts[0].flatMap { UserID($0) }, texts[1].flatMap { DeviceID($0) }))
            created[session] = texts[2].flatMap { Int64($0) }.map { WallTime(seconds: $0) }
        }
        let reply = try ExpireReply(try await link.run(calls.expire(due, in: partition, known(partition))))
        for event in reply.events { hear(event, in: partition) }
        for (session, user, device) in due where reply.ended.contains(session) {
            var entry = AuditEntry(.sessionExpired, at: wall)
            (entry.session, entry.user, entry.device, entry.createdAt) = (session, user, device, created[session])
            record(entry)
        }
    }

    /// Entries whose time is over by the forgetting clock (the script looks at Redis' time, too), with the sessions that must not outlive
    /// them: at most so many of either.
    private func overdue(
        _ partition: Partition, wall: WallTime, past: WallTime?, on link: any RedisLink
    ) async throws(RedisError) -> [SweptEntry] {
        guard let past else { return [] }
        let members = try await link.send(
            RedisCommand(
                "ZRANGEBYSCORE",
                [
                    RedisArgument(calls.keys.revoked(partition)), "-inf", RedisArgument("(\(min(wall, past).seconds)"),
                    "LIMIT", "0", RedisArgument(Self.sweepBatchEntries),
                ]), timeout: nil
        ).array(for: "ZRANGEBYSCORE")
        var entries: [SweptEntry] = []
        var room = Self.sweepBatchSessions
        for member in members where room > 0 {
            let member = try member.text(for: "ZRANGEBYSCORE")
            let subject = String(decoding: member.utf8.dropFirst(2), as: UTF8.self)
            var sessions: [SessionID] = []
            switch member.utf8.first {
            case UInt8(ascii: "s"), UInt8(ascii: "x"): sessions = SessionID(subject).map { [$0] } ?? []
            case UInt8(ascii: "u"), UInt8(ascii: "p"):
                if let user = UserID(subject) { sessions = try await indexed(user, in: partition, on: link) }
            default: break
            }
            // One of more sessions than there is room for comes in pieces, and goes with its last.
            while sessions.count > Self.sweepBatchSessions {
                let piece = SweptEntry(
                    member: member, sessions: Array(sessions.prefix(Self.sweepBatchSessions)), isAll: false)
                sessions.removeFirst(Self.sweepBatchSessions)
                _ = try await link.run(
                    calls.sweep(partition, [piece], wall: wall, past: past, idle: [], known(partition)))
            }
            guard sessions.count <= room else { break }
            room -= sessions.count
            entries.append(SweptEntry(member: member, sessions: sessions, isAll: true))
        }
        return entries
    }

    private func indexed(
        _ user: UserID, in partition: Partition, on link: any RedisLink
    ) async throws(RedisError) -> [SessionID] {
        let index = RedisArgument(calls.keys.index(user, in: partition))
        let reply = try await link.send(RedisCommand("ZRANGE", [index, "0", "-1"]), timeout: nil)
        return try IndexMember.members(in: reply).map(\.session)
    }
}
