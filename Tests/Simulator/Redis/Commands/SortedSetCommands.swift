// ZADD (with GT and CH), ZREM, ZSCORE, ZMSCORE, ZCARD, ZRANGE by index, ZRANGEBYSCORE, ZREMRANGEBYSCORE, ZSCAN.

import CurfewRedis

extension CommandTable {
    static let sortedSets: Group = [
        ("zadd", entry(-4, [.writes, .grows], addToSortedSet)),
        (
            "zrem",
            entry(-3, .writes) { (server, words) throws(CommandFault) in
                let removed = try server.database.update(words[1], isCreating: false) {
                    (set: inout SortedSet) throws(CommandFault) in
                    words[2...].reduce(0) { set.remove($1) ? $0 + 1 : $0 }
                }
                return .count(removed ?? 0)
            }
        ),
        (
            "zscore",
            entry(3) { (server, words) throws(CommandFault) in
                let set: SortedSet? = try server.database.read(words[1])
                return set?.score(of: words[2]).map { .text(RedisNumber.text($0)) } ?? .null
            }
        ),
        (
            "zmscore",
            entry(-3) { (server, words) throws(CommandFault) in
                let set: SortedSet? = try server.database.read(words[1])
                return .array(
                    words[2...].map { member in
                        set?.score(of: member).map { .text(RedisNumber.text($0)) } ?? .null
                    })
            }
        ),
        (
            "zcard",
            entry(2) { (server, words) throws(CommandFault) in
                let set: SortedSet? = try server.database.read(words[1])
                return .count(set?.elements.count ?? 0)
            }
        ),
        ("zrange", entry(-4, [], rangeByIndex)),
        ("zrangebyscore", entry(-4, [], rangeByScore)),
        (
            "zremrangebyscore",
            entry(4, .writes) { (server, words) throws(CommandFault) in
                let (lower, upper) = try bounds(words)
                let removed = try server.database.update(words[1], isCreating: false) {
                    (set: inout SortedSet) throws(CommandFault) in
                    let range = set.indices(from: lower, to: upper)
                    set.remove(range)
                    return range.count
                }
                return .count(removed ?? 0)
            }
        ),
        ("zscan", entry(-3, [], scanSortedSet)),
    ]

    private static func bounds(_ words: [Bytes]) throws(CommandFault) -> (ScoreBound, ScoreBound) {
        guard let lower = ScoreBound(words[2]), let upper = ScoreBound(words[3]) else {
            throw CommandFault("ERR min or max is not a float")
        }
        return (lower, upper)
    }

    private static func flat(_ elements: some Sequence<SortedSet.Element>, withScores: Bool) -> RedisValue {
        .array(
            elements.flatMap { element -> [RedisValue] in
                let member = RedisValue.bytes(element.member)
                return withScores ? [member, .text(RedisNumber.text(element.score))] : [member]
            })
    }

    private static let addToSortedSet: CommandEntry.Body = { (server, words) throws(CommandFault) in
        var first = 2
        var raisesOnly = false
        var countsChanges = false
        options: while first < words.count {
            switch words[first].lowercased {
            case "gt": raisesOnly = true
            case "ch": countsChanges = true
            case "nx", "xx", "lt", "incr": throw .notSimulated("ZADD with NX, XX, LT or INCR")
            default: break options
            }
            first += 1
        }
        let count = words.count - first
        guard count > 0, count.isMultiple(of: 2) else { throw .syntax }
        var pairs: [(score: Double, member: Bytes)] = []
        for index in stride(from: first, to: words.count, by: 2) {
            pairs.append((try words[index].score(), words[index + 1]))
        }
        let changes = try server.database.update(words[1], isCreating: true) {
            (set: inout SortedSet) throws(CommandFault) in
            var (added, changed) = (0, 0)
            for (score, member) in pairs {
                let old = set.score(of: member)
                if old == nil { added += 1 }
                if let old, raisesOnly ? score <= old : score == old { continue }
                if old != nil { changed += 1 }
                set.set(member, to: score)
            }
            return countsChanges ? added + changed : added
        }
        return .count(changes ?? 0)
    }

    private static let rangeByIndex: CommandEntry.Body = { (server, words) throws(CommandFault) in
        let withScores = try hasScores(words[4...])
        let (start, stop) = (try words[2].integer(), try words[3].integer())
        guard let set: SortedSet = try server.database.read(words[1]) else { return .array([]) }
        let count = set.elements.count
        func index(_ number: Int64) -> Int {
            let clamped = Int(clamping: number)
            return clamped < 0 ? max(clamped + count, -1) : min(clamped, count)
        }
        let (first, last) = (max(index(start), 0), min(index(stop), count - 1))
        return first > last ? .array([]) : flat(set.elements[first...last], withScores: withScores)
    }

    private static func hasScores(_ options: ArraySlice<Bytes>) throws(CommandFault) -> Bool {
        guard let option = options.first else { return false }
        if options.count == 1, option.isOption("withscores") { return true }
        for name: Bytes in ["byscore", "bylex", "rev", "limit"] where option.isOption(name) {
            throw .notSimulated("ZRANGE with \(name.text)")
        }
        throw .syntax
    }

    private static let rangeByScore: CommandEntry.Body = { (server, words) throws(CommandFault) in
        var withScores = false
        var (offset, limit) = (Int64(0), Int64(-1))
        var index = 4
        while index < words.count {
            if words[index].isOption("withscores") {
                withScores = true
                index += 1
            } else if words[index].isOption("limit"), index + 2 < words.count {
                (offset, limit) = (try words[index + 1].integer(), try words[index + 2].integer())
                index += 3
            } else {
                throw .syntax
            }
        }
        let (lower, upper) = try bounds(words)
        guard let set: SortedSet = try server.database.read(words[1]), offset >= 0 else { return .array([]) }
        let range = set.elements[set.indices(from: lower, to: upper)].dropFirst(Int(clamping: offset))
        return flat(limit < 0 ? range : range.prefix(Int(clamping: limit)), withScores: withScores)
    }
}
