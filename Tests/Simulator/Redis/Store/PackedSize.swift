// How many bytes Redis' listpack takes for a node of a stream (t_stream.c, listpack.c), which decides when the next begins.

enum PackedSize {
    /// Header and end of a listpack; the master entry (count, deleted, number of fields, the fields, an end); the entry.
    static func node(startingWith entry: EventStream.Entry) -> Int {
        let fields = stride(from: 0, to: entry.words.count, by: 2).map { entry.words[$0] }
        let master = 3 * integer(0) + integer(Int64(fields.count)) + fields.reduce(0) { $0 + string($1) }
        return 7 + master + Self.entry(entry, after: entry)
    }

    /// Flags, the id as differences to the node's first, the fields unless they are the node's, the values, a count.
    static func entry(_ entry: EventStream.Entry, after first: EventStream.Entry) -> Int {
        let values = stride(from: 1, to: entry.words.count, by: 2).reduce(0) { $0 + string(entry.words[$1]) }
        let id =
            integer(Int64(bitPattern: entry.id.milliseconds &- first.id.milliseconds))
            + integer(Int64(bitPattern: entry.id.sequence &- first.id.sequence))
        let fields = stride(from: 0, to: entry.words.count, by: 2).map { entry.words[$0] }
        let hasSameFields = fields == stride(from: 0, to: first.words.count, by: 2).map { first.words[$0] }
        let named = hasSameFields ? 0 : integer(Int64(fields.count)) + fields.reduce(0) { $0 + string($1) }
        let elements = hasSameFields ? fields.count + 3 : 2 * fields.count + 4
        return integer(0) + id + named + values + integer(Int64(elements))
    }

    private static func integer(_ number: Int64) -> Int {
        let bytes =
            switch number {
            case 0...127: 1
            case -4096...4095: 2
            case -32768...32767: 3
            case -8_388_608...8_388_607: 4
            case -2_147_483_648...2_147_483_647: 5
            default: 9
            }
        return bytes + 1
    }

    private static func string(_ text: Bytes) -> Int {
        // Nothing longer is tried as a number.
        if text.count <= 20, let number = RedisNumber.integer(text) { return integer(number) }
        let bytes = text.count + (text.count < 64 ? 1 : text.count < 4096 ? 2 : 5)
        let back =
            switch bytes {
            case ...127: 1
            case ..<16383: 2
            case ..<2_097_151: 3
            default: 4
            }
        return bytes + back
    }
}
