// XADD with an explicit id and `MAXLEN ~`, XRANGE.

import CurfewRedis

extension CommandTable {
    static let streams: Group = [
        ("xadd", entry(-5, [.writes, .grows], addToStream)),
        ("xrange", entry(-4, [], rangeOfStream)),
    ]

    private static let addToStream: CommandEntry.Body = { (server, words) throws(CommandFault) in
        var index = 2
        var length: Int64?
        if words[index].isOption("maxlen") {
            guard words.count > 4, words[3] == "~" else { throw .notSimulated("XADD MAXLEN without ~") }
            let bound = try words[4].integer()
            if bound < 0 { throw CommandFault("ERR The MAXLEN argument must be >= 0.") }
            length = bound
            index = 5
        }
        for option: Bytes in ["*", "minid", "nomkstream", "limit"] where index < words.count {
            if words[index].isOption(option) { throw .notSimulated("XADD with \(option.text)") }
        }
        guard index < words.count else { throw .syntax }
        let id = try streamID(words[index], whereIncomplete: 0)
        let fields = Array(words[(index + 1)...])
        guard !fields.isEmpty, fields.count.isMultiple(of: 2) else { throw .arity(words[0]) }
        if id.milliseconds == 0, id.sequence == 0 {
            throw CommandFault("ERR The ID specified in XADD must be greater than 0-0")
        }
        _ = try server.database.update(words[1], isCreating: true) { (stream: inout EventStream) throws(CommandFault) in
            guard id > stream.lastID else {
                throw CommandFault("ERR The ID specified in XADD is equal or smaller than the target stream top item")
            }
            stream.append(id, fields)
            if let length { _ = stream.trimNodes(to: Int(length)) }
        }
        return .text(id.text)
    }

    private static let rangeOfStream: CommandEntry.Body = { (server, words) throws(CommandFault) in
        let first = try streamID(words[2], whereIncomplete: 0)
        let last = try streamID(words[3], whereIncomplete: .max)
        var limit = Int64.max
        if words.count > 4 {
            guard words.count == 6, words[4].isOption("count") else { throw .syntax }
            limit = try words[5].integer()
        }
        guard let stream: EventStream = try server.database.read(words[1]) else { return .array([]) }
        // Redis answers null, not an empty list, where COUNT says none.
        guard limit > 0 else { return .null }
        return .array(
            stream.entries(from: first, to: last, limit: Int(limit)).map { entry in
                .array([.text(entry.id.text), .array(entry.words.map(RedisValue.bytes))])
            })
    }

    private static func streamID(_ word: Bytes, whereIncomplete sequence: UInt64) throws(CommandFault) -> StreamID {
        if word == "-" { return StreamID(milliseconds: 0, sequence: 0) }
        if word == "+" { return StreamID(milliseconds: .max, sequence: .max) }
        if word.array.first == UInt8(ascii: "(") { throw .notSimulated("XRANGE with an exclusive end") }
        let parts = word.array.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let milliseconds = UInt64(String(decoding: parts[0], as: UTF8.self)) else { throw .invalidStreamID }
        guard parts.count == 2 else { return StreamID(milliseconds: milliseconds, sequence: sequence) }
        guard let given = UInt64(String(decoding: parts[1], as: UTF8.self)) else { throw .invalidStreamID }
        return StreamID(milliseconds: milliseconds, sequence: given)
    }
}
