// Ids that the application brings, partitions, permissions, node ids.

import Testing

@testable import CurfewCore

@Suite struct IdentifierTests {
    @Test(
        "ids of 1 to 128 bytes without control characters are taken as they are",
        arguments: [
            "u", String(repeating: "x", count: 128), String(repeating: "é", count: 64), "a b", "😀", #""\/"#, "\u{a0}",
            "\u{c0}",
        ])
    func accepted(text: String) {
        #expect(UserID(text)?.text == text)
        #expect(DeviceID(text)?.text == text)
        #expect(TenantID(text)?.text == text)
    }

    @Test(
        "empty and longer ids and those with control characters are refused",
        arguments: [
            "", String(repeating: "x", count: 129), String(repeating: "é", count: 65), "a\u{0}", "\u{1f}", "a\tb",
            "\u{7f}",
            "\u{80}", "a\u{9f}b",
        ])
    func refused(text: String) {
        #expect(UserID(text) == nil)
        #expect(DeviceID(text) == nil)
        #expect(TenantID(text) == nil)
    }

    @Test("ids that look the same are two where their bytes differ")
    func byteEquality() throws {
        let (composed, decomposed) = ("\u{e9}", "e\u{301}")
        #expect(composed == decomposed)
        #expect(UserID(composed) != UserID(decomposed))
        #expect(Set([composed, decomposed].compactMap { UserID($0) }).count == 2)
    }

    @Test("CRC16 is the one of Redis Cluster")
    func crc() {
        #expect(crc16("123456789".utf8) == 0x31c3)
        #expect(crc16("".utf8) == 0)
        // CLUSTER KEYSLOT foo
        #expect(crc16("foo".utf8) % 16384 == 12182)
    }

    @Test("a partition count is 1 to 1,024, and its partitions are all below it")
    func partitions() throws {
        #expect(PartitionCount(0) == nil)
        #expect(PartitionCount(1025) == nil)
        #expect(PartitionCount(-1) == nil)
        let count = try #require(PartitionCount(1024))
        #expect(count.all.map(\.index) == Array(0..<1024))
        #expect(PartitionCount(1)?.partition(ofUser: "u".utf8).index == 0)
        let used = Set((0..<20_000).map { count.partition(ofUser: "user-\($0)".utf8) })
        #expect(used.count == 1024)
    }

    @Test("permissions are printable ASCII without space, comma, quote and backslash")
    func permissions() {
        #expect(Permissions(["docs:read", "!", "~"])?.json == Array(#"["docs:read","!","~"]"#.utf8))
        #expect(Permissions([])?.json == Array("[]".utf8))
        for name in ["", "a b", "a,b", "a\"b", "a\\b", "é", "\u{7f}", "\n", String(repeating: "p", count: 129)] {
            #expect(Permissions([name]) == nil)
        }
        #expect(Permissions([String(repeating: "p", count: 128)]) != nil)
        #expect(Permissions(Array(repeating: "p", count: 256)) != nil)
        #expect(Permissions(Array(repeating: "p", count: 257)) == nil)
    }

    @Test("a node id is n and 16 lower-case hexadecimal digits")
    func nodes() {
        #expect(NodeID(random: 0xabc).text == "n0000000000000abc")
        #expect(NodeID("nffffffffffffffff") == NodeID(random: .max))
        for text in ["", "n", "n000000000000000", "n00000000000000000", "N0000000000000abc", "n0000000000000ABC"] {
            #expect(NodeID(text) == nil)
        }
    }
}
