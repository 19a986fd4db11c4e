// Why a command has no reply but an error: Redis' own words.

/// An error reply.
struct CommandFault: Error {
    let message: String

    init(_ message: String) { self.message = message }

    static let wrongType = CommandFault("WRONGTYPE Operation against a key holding the wrong kind of value")
    static let notAnInteger = CommandFault("ERR value is not an integer or out of range")
    static let notAFloat = CommandFault("ERR value is not a valid float")
    static let syntax = CommandFault("ERR syntax error")
    static let invalidStreamID = CommandFault("ERR Invalid stream ID specified as stream command argument")

    static func arity(_ name: Bytes) -> CommandFault {
        CommandFault("ERR wrong number of arguments for '\(name.lowercased.text)' command")
    }

    /// What Redis could do and this one does not: said so, never guessed.
    static func notSimulated(_ what: String) -> CommandFault {
        CommandFault("ERR not simulated: \(what)")
    }
}
