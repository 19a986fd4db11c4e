// JSON as this API reads it: small, bounded in depth, members in order, numbers as their text so that nothing is lost
// between a caller's attributes and the record. No Foundation, whose decoder can't refuse a member that comes twice.

indirect enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// The number's own text.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    /// For sentences like "expected a string, found a number".
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

struct JSONMember: Equatable, Sendable {
    let name: String
    let value: JSONValue

    init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

/// Why a text is not JSON that this API takes.
struct JSONError: Error, Equatable, Sendable {
    /// Byte offset of where it went wrong.
    let offset: Int
    let reason: String
}
