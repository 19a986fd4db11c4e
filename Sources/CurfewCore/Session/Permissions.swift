// What a session may do, and which kind of session it is. Permissions keep their JSON beside them: an answer to
// validate copies it, instead of writing it anew for each request.

/// What a session is for; it decides the lifetimes.
public enum SessionKind: String, Sendable, CaseIterable {
    /// A browser, until it closes.
    case web
    /// A browser that remembers.
    case remember
    /// A program, with short tokens and a refresh token.
    case api
}

/// An ordered list of permissions.
public struct Permissions: Hashable, Sendable {
    /// The most permissions that one session can have.
    public static let maximumCount = 256
    /// The most bytes that one permission can have.
    public static let maximumBytes = 128

    /// As they were given.
    public let names: [String]
    /// The names as a JSON array without spaces: `["a","b"]`.
    public let json: [UInt8]

    /// No permission at all.
    public static let none = Permissions(valid: [])

    /// `nil` for more than 256 names, or where one is empty, longer than 128 bytes, or has a byte that is not
    /// printable ASCII or is a space, comma, quote or backslash.
    public init?(_ names: [String]) {
        guard names.count <= Self.maximumCount, names.allSatisfy({ Self.isName($0) }) else { return nil }
        self.init(valid: names)
    }

    private init(valid names: [String]) {
        self.names = names
        json = Array(("[" + names.map { "\"\($0)\"" }.joined(separator: ",") + "]").utf8)
    }

    /// Whether a permission may be called so.
    public static func isName(_ text: some StringProtocol) -> Bool {
        (1...maximumBytes).contains(text.utf8.count) && text.utf8.allSatisfy(\.isPermissionByte)
    }
}

extension UInt8 {
    /// Printable ASCII without space, comma, quote and backslash: needs no escape in JSON or in a header.
    var isPermissionByte: Bool {
        (0x21...0x7e).contains(self) && self != UInt8(ascii: ",") && self != UInt8(ascii: "\"")
            && self != UInt8(ascii: "\\")
    }
}
