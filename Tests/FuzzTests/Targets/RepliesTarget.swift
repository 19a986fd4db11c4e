// Replies as values: whatever Redis says, each reader gives a value or an error. Those that the scripts give, with single
// values exchanged, and the texts in them: events, records, entries.

import CurfewRedis
import NIOCore

@testable import CurfewCore
@testable import CurfewNode

struct RepliesTarget: FuzzTarget {
    private static let mutation = Mutation([
        "\t", ":", "-", ",", "é", "\u{0}", "\n", "\r\n", "s:", "u:", "e", "1", "nothing",
    ])

    // MARK: Inputs

    func input(_ random: inout Randomness) -> [UInt8] {
        let reply = random.pick([
            poll(&random), open(&random), change(&random), issue(&random), read(&random), record(&random),
        ])
        return RESPTarget.bytes(of: exchanged(reply, &random))
    }

    /// `value` with some of its parts replaced.
    private func exchanged(_ value: RedisValue, _ random: inout Randomness) -> RedisValue {
        if random.isOne(in: 25) {
            return random.pick([
                .null, .integer(-1), .integer(.max), .integer(.min), .bytes([0xff]), .array([]), .status("same"),
                .error("ERR no"), .bytes(Array(random.number().utf8)), .bytes(Array(random.number().utf8)),
            ])
        }
        switch value {
        case .array(var elements):
            if !elements.isEmpty, random.isOne(in: 25) { elements.remove(at: random.below(elements.count)) }
            return .array(elements.map { exchanged($0, &random) })
        case .bytes(let bytes): return random.isOne(in: 12) ? .bytes(Self.mutation.applied(to: bytes, &random)) : value
        case .null, .integer, .status, .error: return value
        }
    }

    private func text(_ text: some CustomStringConvertible) -> RedisValue { .bytes(Array(text.description.utf8)) }

    private func position(_ random: inout Randomness) -> LogPosition {
        let seq = random.isOne(in: 20) ? random.pick([0, UInt64(Int64.max), .max]) : UInt64(1 + random.below(1 << 30))
        return LogPosition(seq: seq, tag: EventTag(random.next()))
    }

    private func members(_ random: inout Randomness) -> RedisValue {
        .array(
            (0..<random.below(3)).flatMap { _ in
                let record = MemberRecord(
                    count: 5, applied: position(&random),
                    habit: ServingHabit(
                        servesStale: random.isOne(in: 2), staleness: .milliseconds(1 + random.below(9000))))
                return [text(NodeID(random: random.next()).text), text(record.text)]
            })
    }

    private func session(_ random: inout Randomness) -> SessionID {
        SessionID(partition: Partition(UInt16(random.below(4))), high: random.next(), low: random.next())
    }

    private func open(_ random: inout Randomness) -> RedisValue {
        let head = position(&random)
        return .array([text(head.seq), text(head.tag), text("inc"), text("5"), text("900"), text("1790000000")])
    }

    private func poll(_ random: inout Randomness) -> RedisValue {
        let head = position(&random)
        let verdict = random.pick(["same", "fork", "trimmed"])
        return .array([
            text(verdict), text(head.seq), text(head.tag), text("inc"), text("5"), text("900"), text("1790000000"),
            .integer(3), members(&random),
        ])
    }

    private func event(_ random: inout Randomness) -> Event {
        let user = UserID(random.identifier())
        let stamp = Stamp(random.pick([0, 1, 1_790_000_000_000_000, .max]))
        let change: Change =
            switch (random.below(5), user) {
            case (0, let user?): .user(user, stamp)
            case (1, let user?): .permissions(user, Permissions(["a", "b"]) ?? .none, stamp)
            case (2, _): .everyone(stamp)
            case (3, _): .sessions((0...random.below(3)).map { _ in session(&random) })
            default: .nothing
            }
        return Event(
            position: position(&random), previous: EventTag(random.next()),
            asker: random.isOne(in: 2) ? nil : NodeID(random: random.next()),
            until: WallTime(seconds: Int64(random.below(1 << 40))), reason: "logout", change: change)
    }

    private func change(_ random: inout Randomness) -> RedisValue {
        let events = (0..<random.below(3)).map { _ in event(&random) }
        let head = events.last?.position ?? position(&random)
        return .array([
            text("inc"), text(EventTag(random.next())), text(head.seq), text(head.tag), text("77"), .integer(1),
            .array(events.map { text($0.text) }), .array([text(session(&random))]), members(&random),
        ])
    }

    private func issue(_ random: inout Randomness) -> RedisValue {
        .array([text("inc"), text("5"), text("1790000000"), text("7\ta\tb")])
    }

    private func read(_ random: inout Randomness) -> RedisValue {
        .array([text("inc"), .integer(0), .integer(1), text(""), text("5"), text(random.number()), text("7\ta\tb")])
    }

    private func record(_ random: inout Randomness) -> RedisValue {
        let fields = [
            "u", random.identifier(), "k", "web", "p", "a,b", "s", "5", "c", random.number(), "a", "1790000000", "x",
            "1790003600", "N", random.word(), "m", "pwd,otp", "j", "{\"a\":1}",
        ]
        return .array(fields.map(text))
    }

    // MARK: What must hold

    func check(_ input: [UInt8]) throws {
        for value in RESPTarget.values(of: input) {
            attempt { () throws(RedisError) in _ = try PollAnswer(value) }
            attempt { () throws(RedisError) in _ = try OpenReply(value) }
            attempt { () throws(RedisError) in _ = try ChangeReply(value, operation: "revoke") }
            attempt { () throws(RedisError) in _ = try IssueReply.result(value) }
            attempt { () throws(RedisError) in _ = try ReadReply(value) }
            let session = SessionID(partition: Partition(0), high: 1, low: 2)
            attempt { () throws(RedisError) in _ = try SessionRecord.view(session, value) }
            try texts(in: value, check: check)
        }
    }

    private func attempt(_ read: () throws(RedisError) -> Void) {
        do throws(RedisError) { try read() } catch { return }
    }

    private func texts(in value: RedisValue, check: (String) throws -> Void) throws {
        switch value {
        case .array(let elements): for element in elements { try texts(in: element, check: check) }
        case .bytes(let bytes): try check(String(decoding: bytes, as: UTF8.self))
        case .status(let text), .error(let text): try check(text)
        case .null, .integer: break
        }
    }

    private func check(_ text: String) throws {
        let info = RedisInfo(text)
        _ = (info.sighting(), info.connectedReplicas, RedisInfo.isSupported(version: text))
        let member = MemberRecord(text)
        try demand(MemberRecord(member.text) == member, "a record changes in writing")
        try checkEntry(text)
        guard let event = Event(text) else { return }
        try demand(Event(event.text) == event, "an event changes in writing")
        var state = RevocationState(partition: Partition(0))
        state.apply(event.change, until: event.until, partition: Partition(0))
        for entry in event.entries {
            guard let stored = entry.stored else { throw Finding("an entry that can't be stored") }
            try demand(
                ReplicatedEntry(member: stored.member, value: stored.value, until: entry.until) == entry,
                "an entry changes in storing")
        }
        var feed = PartitionFeed(bounds: FeedBounds(staleness: .seconds(1)))
        let reign = Reign(runID: "r", replicationID: "r")
        _ = feed.handle(.connected(reign))
        let now = BootTime(nanoseconds: 1)
        _ = feed.handle(
            .snapshotLoaded(
                SnapshotHead(position: event.position, incarnation: "i", readAt: now, age: now), lacked: false))
        _ = feed.handle(.heard(event))
        // One that does not chain, whatever came before.
        let stranger = Event(
            position: LogPosition(seq: 1, tag: EventTag(0)), previous: EventTag(1), asker: nil, until: event.until,
            reason: "", change: .nothing)
        _ = feed.handle(.heard(stranger))
    }

    private func checkEntry(_ text: String) throws {
        let until = WallTime(seconds: 1)
        guard let entry = ReplicatedEntry(member: text, value: "7\ta", until: until), let stored = entry.stored else {
            return
        }
        let again = ReplicatedEntry(member: stored.member, value: stored.value, until: until)
        try demand(again == entry, "an entry changes in storing")
    }
}
