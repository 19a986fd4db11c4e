// Ids and fences, which travel as text: each has one spelling, and reading it gives what was written.

import CurfewCore

@testable import CurfewNode

struct IDTarget: FuzzTarget {
    private static let mutation = Mutation([
        "-", "0", "+", "ses_", "n", "é", "\u{661}", "e\u{301}", " ", "A", "z", "\u{0}",
    ])

    func input(_ random: inout Randomness) -> [UInt8] {
        let session = SessionID(
            partition: Partition(UInt16(random.below(1024))), high: random.next(), low: random.next())
        let position = LogPosition(seq: random.pick([0, 1, .max, random.next()]), tag: EventTag(random.next()))
        let record = MemberRecord(
            count: random.next(), applied: position,
            habit: ServingHabit(servesStale: random.isOne(in: 2), staleness: .milliseconds(1 + random.below(9000))))
        let text = random.pick([
            FenceToken(partition: session.partition, position: position).description, session.description,
            position.tag.description, NodeID(random: random.next()).text, record.text, random.word(), random.number(),
            WallTime(seconds: Int64(bitPattern: random.next() >> 20)).rfc3339, "1-2-3-4", "1024-1-0000000000000000",
            "ses_zzzzzzzzzzzzzzzzzzzzzzzz", "ses_GV9999999999999999999999",
        ])
        return Self.mutation.applied(to: Array(text.utf8), &random)
    }

    func check(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        let spellings = [
            FenceToken(text)?.description, SessionID(text)?.description, EventTag(text)?.description,
            NodeID(text)?.description, WallTime(rfc3339: text)?.rfc3339, UserID(text)?.text,
        ]
        for spelling in spellings.compactMap({ $0 }) {
            try demand(spelling.utf8.elementsEqual(text.utf8), "\(text) is taken, though it is spelt \(spelling)")
        }
        let fromBytes = input.withUnsafeBytes { SessionID(utf8: $0) }
        // Bytes that are no UTF-8 are another text by now.
        try demand(fromBytes == nil || fromBytes == SessionID(text), "an id's bytes and its text differ")
        let member = MemberRecord(text)
        try demand(MemberRecord(member.text) == member, "a record changes in writing")
    }
}
