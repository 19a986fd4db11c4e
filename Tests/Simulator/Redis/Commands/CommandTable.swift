// Which commands there are, how many words each takes, and when it is refused. Arities and flags are Redis 7.0's.

import CurfewRedis

/// One command of the simulated Redis.
struct CommandEntry: Sendable {
    typealias Body = @Sendable (inout SimulatedRedisServer, [Bytes]) throws(CommandFault) -> RedisValue

    /// Of the words, the name counted: exact, or at least so many where negative.
    let arity: Int
    let traits: Traits
    let body: Body

    struct Traits: OptionSet, Sendable {
        let rawValue: Int
        static let writes = Traits(rawValue: 1)
        /// Refused for want of memory.
        static let grows = Traits(rawValue: 2)
        static let worksWhileLoading = Traits(rawValue: 4)
        static let refusedInScripts = Traits(rawValue: 8)
    }

    func takes(_ words: Int) -> Bool { arity >= 0 ? words == arity : words >= -arity }
}

enum CommandTable {
    /// By name, in both of the spellings that are common, so that no call has to make one of the other.
    private static let commands: [Bytes: CommandEntry] = {
        var table: [Bytes: CommandEntry] = [:]
        for group in [hashes, sortedSets, streams, keys, server, scripts] {
            for (name, entry) in group {
                table[Bytes(name)] = entry
                table[Bytes(name.uppercased())] = entry
            }
        }
        return table
    }()

    static func entry(_ name: Bytes) -> CommandEntry? { commands[name] ?? commands[name.lowercased] }

    typealias Group = [(String, CommandEntry)]

    static func entry(_ arity: Int, _ traits: CommandEntry.Traits = [], _ body: @escaping CommandEntry.Body)
        -> CommandEntry
    {
        CommandEntry(arity: arity, traits: traits, body: body)
    }
}

/// Options and numbers out of a command's words.
extension Bytes {
    func integer() throws(CommandFault) -> Int64 {
        guard let number = RedisNumber.integer(self) else { throw .notAnInteger }
        return number
    }

    func score() throws(CommandFault) -> Double {
        guard let number = RedisNumber.double(self) else { throw .notAFloat }
        return number
    }

    func isOption(_ name: Bytes) -> Bool { lowercased == name }
}

extension RedisValue {
    static func bytes(_ bytes: Bytes) -> RedisValue { .bytes(bytes.array) }
    static func text(_ text: String) -> RedisValue { .bytes(Array(text.utf8)) }
    static func count(_ count: Int) -> RedisValue { .integer(Int64(count)) }
    static let ok = RedisValue.status("OK")
}
