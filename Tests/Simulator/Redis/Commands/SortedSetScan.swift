// ZSCAN. A small set comes whole, as Redis' packed ones do; a big one in pages by the hash of its members, so that what is
// there from the first page to the last is returned however the set changes meanwhile: a cursor is a hash.

import CurfewRedis

extension CommandTable {
    /// zset-max-listpack-entries, -value.
    private static let packedEntries = 128
    private static let packedMemberBytes = 64

    static let scanSortedSet: CommandEntry.Body = { (server, words) throws(CommandFault) in
        guard let cursor = UInt64(words[2].text) else { throw CommandFault("ERR invalid cursor") }
        var count = Int64(10)
        var index = 3
        while index < words.count {
            guard words[index].isOption("count"), index + 1 < words.count else {
                throw words[index].isOption("match") ? .notSimulated("ZSCAN with MATCH") : .syntax
            }
            count = try words[index + 1].integer()
            if count < 1 { throw .syntax }
            index += 2
        }
        guard let set: SortedSet = try server.database.read(words[1]) else { return page([], next: 0) }
        let isPacked =
            set.elements.count <= packedEntries && set.elements.allSatisfy { $0.member.count <= packedMemberBytes }
        if isPacked { return page(set.elements, next: 0) }
        let left = set.elements.map { (place: place($0.member), element: $0) }.filter { $0.place >= cursor }
            .sorted { ($0.place, $0.element.member) < ($1.place, $1.element.member) }
        guard left.count > Int(clamping: count) else { return page(left.map(\.element), next: 0) }
        let next = left[Int(count)].place
        return page(left.filter { $0.place < next }.map(\.element), next: next)
    }

    private static func page(_ elements: [SortedSet.Element], next cursor: UInt64) -> RedisValue {
        .array([
            .text(String(cursor)),
            .array(elements.flatMap { [.bytes($0.member), .text(RedisNumber.text($0.score))] }),
        ])
    }

    /// FNV-1a; never 0, which is the cursor of the beginning and of the end.
    private static func place(_ member: Bytes) -> UInt64 {
        max(1, member.array.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
    }
}
