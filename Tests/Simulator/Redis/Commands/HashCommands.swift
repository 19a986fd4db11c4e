// HSET, HGET, HMGET, HGETALL, HDEL. HGETALL answers by the fields' bytes: Redis promises no order.

import CurfewRedis

extension CommandTable {
    static let hashes: Group = [
        (
            "hset",
            entry(-4, [.writes, .grows]) { (server, words) throws(CommandFault) in
                guard words.count.isMultiple(of: 2) else { throw .arity(words[0]) }
                let added = try server.database.update(words[1], isCreating: true) {
                    (hash: inout SortedMap<Bytes>) throws(CommandFault) in
                    var added = 0
                    for index in stride(from: 2, to: words.count, by: 2)
                    where hash.set(words[index], to: words[index + 1]) == nil {
                        added += 1
                    }
                    return added
                }
                return .count(added ?? 0)
            }
        ),
        (
            "hget",
            entry(3) { (server, words) throws(CommandFault) in
                let hash: SortedMap<Bytes>? = try server.database.read(words[1])
                return hash?[words[2]].map(RedisValue.bytes) ?? .null
            }
        ),
        (
            "hmget",
            entry(-3) { (server, words) throws(CommandFault) in
                let hash: SortedMap<Bytes>? = try server.database.read(words[1])
                return .array(words[2...].map { hash?[$0].map(RedisValue.bytes) ?? .null })
            }
        ),
        (
            "hgetall",
            entry(2) { (server, words) throws(CommandFault) in
                guard let hash: SortedMap<Bytes> = try server.database.read(words[1]) else { return .array([]) }
                return .array(zip(hash.keys, hash.values).flatMap { [.bytes($0), .bytes($1)] })
            }
        ),
        (
            "hdel",
            entry(-3, .writes) { (server, words) throws(CommandFault) in
                let removed = try server.database.update(words[1], isCreating: false) {
                    (hash: inout SortedMap<Bytes>) throws(CommandFault) in
                    words[2...].reduce(0) { hash.remove($1) == nil ? $0 : $0 + 1 }
                }
                return .count(removed ?? 0)
            }
        ),
    ]
}
