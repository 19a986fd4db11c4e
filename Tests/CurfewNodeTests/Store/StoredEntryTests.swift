// The replicated state's way into Redis and back, and the texts that callers and scripts hand around. Ids are bytes: marks that
// join the character before them must not change what is read.

import CurfewCore
import Testing

@testable import CurfewNode

@Suite("An entry of the replicated state")
struct StoredEntryTests {
    static let texts = [
        "u_42", "a b", "\u{301}x", "e\u{301}", "\u{e9}", "👩‍👩‍👧", "s:u:t", "\"\\", String(repeating: "ü", count: 64),
    ]
    static let until = WallTime(seconds: 2_000_000_000)

    @Test("reads back as what was written, whatever the id's first character joins", arguments: texts)
    func roundTrip(text: String) throws {
        let user = try #require(UserID(text))
        let tenant = try #require(TenantID(text))
        let permissions = try #require(Permissions(["docs:read", "x"]))
        let session = SessionID(partition: Partition(9), high: 1, low: .max)
        let changes: [Change] = [
            .sessions([session]), .user(user, Stamp(5)), .tenant(tenant, Stamp(6)), .everyone(Stamp(7)),
            .permissions(user, permissions, Stamp(8)), .permissions(user, .none, Stamp(9)),
        ]
        for change in changes {
            let entry = ReplicatedEntry(change: change, until: Self.until)
            let stored = try #require(entry.stored)
            #expect(ReplicatedEntry(member: stored.member, value: stored.value, until: Self.until) == entry)
        }
    }

    @Test(
        "is refused unless it is whole",
        arguments: [
            ("", ""), ("x:u", "1"), ("s:ses_short", ""), ("u:", "1"), ("u:a", ""), ("u:a", "soon"), ("e", ""),
            ("t:a", "-1"),
            ("p:a", "5\tnot allowed"), ("u", "1"),
        ])
    func refused(member: String, value: String) {
        #expect(ReplicatedEntry(member: member, value: value, until: Self.until) == nil)
    }

    @Test("has its session and device in the index, bytes for bytes", arguments: texts)
    func indexMembers(text: String) throws {
        let member = IndexMember(session: SessionID(partition: Partition(0), high: 2, low: 3), device: DeviceID(text))
        let again = try #require(IndexMember(member.text))
        #expect(again == member)
        #expect(again.device?.text.utf8.elementsEqual(text.utf8) == true)
    }

    @Test(
        "has a fence token that is taken in its one form only",
        arguments: [
            "", "7", "7-1", "7-1-2", "07-1-00000000000000ff", "7-01-00000000000000ff", "1024-1-00000000000000ff",
            "-7-1-00000000000000ff", "7-1-00000000000000FF", "7-1-00000000000000ff-", "7-1-00000000000000ff ",
        ])
    func fenceTokens(text: String) {
        #expect(FenceToken(text) == nil)
        #expect(FenceToken("7-1-00000000000000ff")?.description == "7-1-00000000000000ff")
    }
}
