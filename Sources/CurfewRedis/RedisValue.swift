// A reply as a value of our own, copied out of hiredis' memory, and the questions that callers put to it.
// A reply that is not what was asked for is an error with the operation's name, never a crash and never a default.

/// One reply (RESP2).
package enum RedisValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case bytes([UInt8])
    case status(String)
    /// An error reply inside a pipeline or an array; already made fit for logs.
    case error(String)
    case array([RedisValue])

    /// The integer; throws `.server` for an error reply and `.unexpectedReply` for anything else.
    package func integer(for operation: String) throws(RedisError) -> Int64 {
        if case .integer(let value) = self { return value }
        throw mismatch(operation, expected: "an integer")
    }

    /// The bytes of a bulk string.
    package func bytes(for operation: String) throws(RedisError) -> [UInt8] {
        if case .bytes(let value) = self { return value }
        throw mismatch(operation, expected: "a string")
    }

    /// The bytes of a bulk string, `nil` for the null reply.
    package func bytesIfPresent(for operation: String) throws(RedisError) -> [UInt8]? {
        if case .null = self { return nil }
        return try bytes(for: operation)
    }

    /// A bulk string or status as text; it must be valid UTF-8.
    package func text(for operation: String) throws(RedisError) -> String {
        switch self {
        case .status(let text): return text
        case .bytes(let bytes):
            if let text = String(validating: bytes, as: UTF8.self) { return text }
        case .null, .integer, .error, .array: break
        }
        throw mismatch(operation, expected: "text")
    }

    /// The elements of an array.
    package func array(for operation: String) throws(RedisError) -> [RedisValue] {
        if case .array(let elements) = self { return elements }
        throw mismatch(operation, expected: "an array")
    }

    /// The elements of an array of exactly `count`.
    package func array(of count: Int, for operation: String) throws(RedisError) -> [RedisValue] {
        let elements = try array(for: operation)
        guard elements.count == count else {
            throw .unexpectedReply(operation: operation, expected: "an array of \(count)")
        }
        return elements
    }

    /// The value itself, unless it is an error reply: then it throws `.server`.
    package func checked(for operation: String) throws(RedisError) -> RedisValue {
        if case .error(let message) = self { throw .server(operation: operation, message: message) }
        return self
    }

    /// Whether EVALSHA did not know the script.
    var isUnknownScript: Bool {
        if case .error(let message) = self { return message.hasPrefix("NOSCRIPT") }
        return false
    }

    private func mismatch(_ operation: String, expected: String) -> RedisError {
        if case .error(let message) = self { return .server(operation: operation, message: message) }
        return .unexpectedReply(operation: operation, expected: expected)
    }
}
