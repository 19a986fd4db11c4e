// EVAL, EVALSHA, SCRIPT LOAD, EXISTS and FLUSH: which scripts a server knows. Running them is LuaMachine's.

import COpenSSL
import CurfewRedis

extension CommandTable {
    static let scripts: Group = [
        (
            "eval",
            entry(-3, .refusedInScripts) { (server, words) throws(CommandFault) in
                let keys = try keyCount(words)
                let digest = Digest.hex(words[1].array)
                try server.compile(digest, words[1].array)
                return try server.run(digest, words[1].array, words[3...], keys: keys)
            }
        ),
        (
            "evalsha",
            entry(-3, .refusedInScripts) { (server, words) throws(CommandFault) in
                let unknown = CommandFault("NOSCRIPT No matching script. Please use EVAL.")
                if words[1].count != 40 { throw unknown }
                let keys = try keyCount(words)
                let digest = words[1].lowercased.text
                guard let source = server.scripts[digest] else { throw unknown }
                return try server.run(digest, source, words[3...], keys: keys)
            }
        ),
        (
            "script",
            entry(-2, .refusedInScripts) { (server, words) throws(CommandFault) in
                if words[1].isOption("flush"), words.count <= 3 {
                    server.scripts = [:]
                    return .ok
                }
                if words[1].isOption("exists"), words.count > 2 {
                    return .array(words[2...].map { .integer(server.scripts[$0.lowercased.text] == nil ? 0 : 1) })
                }
                if words[1].isOption("load"), words.count == 3 {
                    let digest = Digest.hex(words[2].array)
                    try server.compile(digest, words[2].array)
                    return .text(digest)
                }
                throw .notSimulated("SCRIPT but FLUSH, EXISTS and LOAD")
            }
        ),
    ]

    private static func keyCount(_ words: [Bytes]) throws(CommandFault) -> Int {
        let count = try words[2].integer()
        if count > words.count - 3 { throw CommandFault("ERR Number of keys can't be greater than number of args") }
        if count < 0 { throw CommandFault("ERR Number of keys can't be negative") }
        return Int(count)
    }
}

extension SimulatedRedisServer {
    fileprivate mutating func compile(_ digest: String, _ source: [UInt8]) throws(CommandFault) {
        guard scripts[digest] == nil, let lua = call.lua?.machine else { return }
        try lua.compile(digest, source)
        scripts[digest] = source
    }

    fileprivate mutating func run(_ digest: String, _ source: [UInt8], _ words: ArraySlice<Bytes>, keys: Int)
        throws(CommandFault) -> RedisValue
    {
        guard let lua = call.lua?.machine else { preconditionFailure("commands run with a machine") }
        try lua.compile(digest, source)
        let split = words.startIndex + keys
        return lua.run(digest, keys: words[..<split], arguments: words[split...], on: &self)
    }

    /// A command that a script gives. The name and the number of words come before whether it may run.
    mutating func executeInScript(_ words: [Bytes]) throws(CommandFault) -> RedisValue {
        guard let entry = CommandTable.entry(words[0]) else {
            throw CommandFault("ERR Unknown Redis command called from script")
        }
        guard entry.takes(words.count) else {
            throw CommandFault("ERR Wrong number of args calling Redis command from script")
        }
        if entry.traits.contains(.refusedInScripts) {
            throw CommandFault("ERR This Redis command is not allowed from script")
        }
        if let refusal = refusalInScript(of: entry) { throw refusal }
        if entry.traits.contains(.writes) { call.hasWritten = true }
        return try entry.body(&self, words)
    }
}

enum Digest {
    private static let digits = Array("0123456789abcdef".utf8)

    /// SHA-1 in 40 hex digits.
    static func hex(_ bytes: [UInt8]) -> String {
        String(decoding: hexBytes(bytes), as: UTF8.self)
    }

    static func hexBytes(_ bytes: [UInt8]) -> [UInt8] {
        var hash = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        _ = SHA1(bytes, bytes.count, &hash)
        return hash.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }
}
