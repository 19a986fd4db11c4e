// What is sent: commands, and scripts by the digest of their text. Arguments are bytes; numbers are written in decimal.
// A command's first word is also the name by which its errors are known.

import COpenSSL

/// One argument of a command: any bytes.
package struct RedisArgument: Sendable, Equatable, ExpressibleByStringLiteral {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }
    package init(_ text: String) { bytes = Array(text.utf8) }
    package init(_ number: some BinaryInteger) { bytes = Array(String(number).utf8) }
    package init(stringLiteral text: String) { self.init(text) }
}

/// One command with its arguments.
package struct RedisCommand: Sendable, Equatable {
    /// The first word, and the name in errors.
    package let operation: String
    package let arguments: [RedisArgument]
    /// What is sent first; differs from `operation` for scripts, which are known by their own name.
    package let verb: String

    package init(_ operation: String, _ arguments: [RedisArgument] = []) {
        self.init(operation: operation, verb: operation, arguments: arguments)
    }

    init(operation: String, verb: String, arguments: [RedisArgument]) {
        self.operation = operation
        self.verb = verb
        self.arguments = arguments
    }
}

/// A Lua script, called by the SHA-1 of its text and sent whole only where Redis does not know it yet.
package struct RedisScript: Sendable {
    /// The name in errors.
    package let name: String
    package let source: [UInt8]
    /// 40 hex digits.
    package let digest: String

    package init(name: String, source: [UInt8]) {
        self.name = name
        self.source = source
        var hash = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        _ = SHA1(source, source.count, &hash)
        digest = hash.map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }
}

/// One call of a script. Redis Cluster wants all keys of a call in one slot.
package struct RedisScriptCall: Sendable {
    package let script: RedisScript
    package let keys: [String]
    package let arguments: [RedisArgument]

    package init(_ script: RedisScript, keys: [String], arguments: [RedisArgument] = []) {
        self.script = script
        self.keys = keys
        self.arguments = arguments
    }

    package var byDigest: RedisCommand { command("EVALSHA", RedisArgument(script.digest)) }
    package var bySource: RedisCommand { command("EVAL", RedisArgument(script.source)) }

    private func command(_ verb: String, _ body: RedisArgument) -> RedisCommand {
        var all = [body, RedisArgument(keys.count)]
        all.reserveCapacity(2 + keys.count + arguments.count)
        for key in keys { all.append(RedisArgument(key)) }
        all += arguments
        return RedisCommand(operation: script.name, verb: verb, arguments: all)
    }
}
