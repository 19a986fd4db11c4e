// SET (with NX), GET, EXISTS, DEL, UNLINK, EXPIREAT, PEXPIRE, TYPE, PEXPIRETIME, KEYS of everything, FLUSHALL.

import CurfewRedis

extension CommandTable {
    static let keys: Group = [
        (
            "set",
            entry(-3, [.writes, .grows]) { (server, words) throws(CommandFault) in
                var isOnlyNew = false
                for option in words[3...] {
                    if option.isOption("nx") {
                        isOnlyNew = true
                    } else {
                        let known: [Bytes] = ["xx", "get", "ex", "px", "exat", "pxat", "keepttl"]
                        throw known.contains(option.lowercased) ? .notSimulated("SET with \(option.text)") : .syntax
                    }
                }
                if isOnlyNew, server.database.contains(words[1]) { return .null }
                server.database.set(words[1], to: words[2])
                return .ok
            }
        ),
        (
            "get",
            entry(2) { (server, words) throws(CommandFault) in
                guard let entry = server.database.entries[words[1]] else { return .null }
                guard case .string(let text) = entry.value else { throw .wrongType }
                return .bytes(text)
            }
        ),
        (
            "exists",
            entry(-2) { (server, words) throws(CommandFault) in
                .count(words[1...].count { server.database.contains($0) })
            }
        ),
        ("del", entry(-2, .writes, removeKeys)),
        ("unlink", entry(-2, .writes, removeKeys)),
        ("expireat", entry(-3, .writes, expireAt)),
        ("pexpire", entry(-3, .writes, expireIn)),
        (
            "type",
            entry(2) { (server, words) throws(CommandFault) in
                switch server.database.entries[words[1]]?.value {
                case nil: .status("none")
                case .string: .status("string")
                case .hash: .status("hash")
                case .sortedSet: .status("zset")
                case .stream: .status("stream")
                }
            }
        ),
        (
            "pexpiretime",
            entry(2) { (server, words) throws(CommandFault) in
                guard let entry = server.database.entries[words[1]] else { return .integer(-2) }
                return .integer(entry.expiresAtMilliseconds ?? -1)
            }
        ),
        (
            "keys",
            entry(2) { (server, words) throws(CommandFault) in
                guard words[1] == "*" else { throw .notSimulated("KEYS of a pattern") }
                return .array(server.database.entries.keys.map(RedisValue.bytes))
            }
        ),
        (
            "flushall",
            entry(-1, .writes) { (server, words) throws(CommandFault) in
                let isMode = words.count == 2 && (words[1].isOption("async") || words[1].isOption("sync"))
                guard words.count == 1 || isMode else { throw .syntax }
                server.database.removeAll()
                return .ok
            }
        ),
    ]

    private static let removeKeys: CommandEntry.Body = { (server, words) throws(CommandFault) in
        var removed = 0
        for key in words[1...] where server.database.remove(key) { removed += 1 }
        return .count(removed)
    }

    /// A moment that is over already ends the key at once; on a replica nothing is written anyway.
    private static let expireAt: CommandEntry.Body = { (server, words) throws(CommandFault) in
        let seconds = try words[2].integer()
        if words.count > 3 { throw .notSimulated("EXPIREAT with an option") }
        let (milliseconds, overflowed) = seconds.multipliedReportingOverflow(by: 1000)
        if overflowed { throw CommandFault("ERR invalid expire time in 'expireat' command") }
        return expire(words[1], atMilliseconds: milliseconds, &server)
    }

    private static let expireIn: CommandEntry.Body = { (server, words) throws(CommandFault) in
        let duration = try words[2].integer()
        if words.count > 3 { throw .notSimulated("PEXPIRE with an option") }
        let (milliseconds, overflowed) = server.call.milliseconds.addingReportingOverflow(duration)
        if overflowed { throw CommandFault("ERR invalid expire time in 'pexpire' command") }
        return expire(words[1], atMilliseconds: milliseconds, &server)
    }

    private static func expire(
        _ key: Bytes, atMilliseconds milliseconds: Int64, _ server: inout SimulatedRedisServer
    ) -> RedisValue {
        if milliseconds <= server.call.milliseconds { return .count(server.database.remove(key) ? 1 : 0) }
        return .count(server.database.setExpiry(of: key, toMilliseconds: milliseconds) ? 1 : 0)
    }
}
