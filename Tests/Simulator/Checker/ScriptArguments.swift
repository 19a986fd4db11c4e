// What the checker reads of a script's arguments.

import CurfewCore
import CurfewRedis

extension RedisCommand {
    /// Of a script: ARGV[2], behind the digest, the number of keys and the keys.
    var mark: UInt64? {
        guard verb == "EVALSHA" || verb == "EVAL", let text = scriptArgument(2) else { return nil }
        return UInt64(text)
    }

    private func scriptArgument(_ number: Int) -> String? {
        guard arguments.count > 1, let keys = Int(String(decoding: arguments[1].bytes, as: UTF8.self)),
            arguments.indices.contains(1 + keys + number)
        else { return nil }
        return String(decoding: arguments[1 + keys + number].bytes, as: UTF8.self)
    }

    /// Of an `issue` call: ARGV[14].
    var issuedSession: SessionID? { scriptArgument(14).flatMap { SessionID($0) } }

    /// Of a `renew` or `rotate` call: ARGV[14].
    var renewedSession: SessionID? { scriptArgument(14).flatMap { SessionID($0) } }
}
