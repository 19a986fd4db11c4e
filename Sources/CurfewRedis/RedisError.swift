// Everything that a call to Redis can end in besides its answer. Closed, so that callers decide about each case.
// No case carries an argument of a command: what Redis says is cut where it would quote one.

/// Why a call has no answer. `operation` is the command's or the script's name.
package enum RedisError: Error, Sendable, Equatable {
    /// There is no connection; nothing was sent.
    case unavailable(operation: String, reason: String)
    /// No answer by the deadline; the outcome is unknown and the connection was closed.
    case timeout(operation: String)
    /// Too much is waiting for answers already; nothing was sent.
    case overloaded(operation: String)
    /// Redis refused: its own words, without arguments.
    case server(operation: String, message: String)
    /// It ran at a Redis that did not take the write behind it: whether what it did and said counts is unknown.
    case unproven(operation: String, message: String)
    /// Redis answered something else than was asked for.
    case unexpectedReply(operation: String, expected: String)
    /// The connection ended before the answer; the outcome is unknown.
    case closed(operation: String, reason: String)

    /// Longest text taken over from Redis, in characters.
    static let maximumMessageLength = 200

    /// What Redis says, made fit for logs: one line, bounded, and cut before the arguments that
    /// `unknown command` quotes.
    static func cleaned(_ message: String) -> String {
        var text = message
        if let quote = text.firstRange(of: ", with args beginning with") { text.removeSubrange(quote.lowerBound...) }
        return String(text.prefix(maximumMessageLength).map { $0.isNewline || $0.isControl ? " " : $0 })
    }
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unavailable(let operation, let reason): "\(operation): Redis is not reachable (\(reason))"
        case .timeout(let operation): "\(operation): no answer from Redis in time, outcome unknown"
        case .overloaded(let operation): "\(operation): too many calls to Redis are waiting, not sent"
        case .server(let operation, let message): "\(operation): Redis answered: \(message)"
        case .unproven(let operation, let message): "\(operation): Redis answered: \(message), outcome unknown"
        case .unexpectedReply(let operation, let expected): "\(operation): the reply is not \(expected)"
        case .closed(let operation, let reason): "\(operation): connection lost (\(reason)), outcome unknown"
        }
    }
}

extension Character {
    fileprivate var isControl: Bool { unicodeScalars.allSatisfy { $0.value < 0x20 || $0.value == 0x7F } }
}
