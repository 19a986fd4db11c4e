// The ids that an application brings (users, devices, tenants) and the ids of nodes: a type each, so that none can
// be passed as another. They are equal when their bytes are, unlike Swift's strings, which are equal when they look
// the same: a user's partition follows from the bytes, so two spellings of one "é" are two users.

/// What users, devices and tenants have in common: 1–128 bytes of UTF-8 without control characters.
public protocol Identifier: Hashable, Sendable, CustomStringConvertible {
    /// The id, as it came.
    var text: String { get }
    /// `nil` for an empty or a too long text, and for one with a control character.
    init?(_ text: String)
}

extension Identifier {
    /// The id, as it came.
    public var description: String { text }

    /// Whether the bytes are the same.
    public static func == (left: Self, right: Self) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// A user, in the application's words.
public struct UserID: Identifier {
    /// The id, as it came.
    public let text: String

    /// `nil` for what `Identifier` refuses.
    public init?(_ text: String) {
        guard IdentifierRule.accepts(text) else { return nil }
        self.text = text
    }
}

/// A device of a user, in the application's words.
public struct DeviceID: Identifier {
    /// The id, as it came.
    public let text: String

    /// `nil` for what `Identifier` refuses.
    public init?(_ text: String) {
        guard IdentifierRule.accepts(text) else { return nil }
        self.text = text
    }
}

/// A tenant, in the application's words.
public struct TenantID: Identifier {
    /// The id, as it came.
    public let text: String

    /// `nil` for what `Identifier` refuses.
    public init?(_ text: String) {
        guard IdentifierRule.accepts(text) else { return nil }
        self.text = text
    }
}

/// The one rule for ids: 1–128 bytes, no control characters (U+0000–001F, U+007F, U+0080–009F).
enum IdentifierRule {
    static let maximumBytes = 128

    static func accepts(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { accepts(UnsafeRawBufferPointer($0)) }
    }

    /// The same for bytes that are known to be UTF-8.
    static func accepts(_ utf8: UnsafeRawBufferPointer) -> Bool {
        guard (1...maximumBytes).contains(utf8.count) else { return false }
        var high: UInt8 = 0
        var controls = false
        for byte in utf8 {
            high |= byte
            controls = controls || byte < 0x20 || byte == 0x7f
        }
        if controls { return false }
        return high < 0x80 || !hasC1Control(utf8)
    }

    /// U+0080–009F are C2 80 to C2 9F.
    private static func hasC1Control(_ utf8: UnsafeRawBufferPointer) -> Bool {
        zip(utf8, utf8.dropFirst()).contains { $0 == 0xc2 && $1 < 0xa0 }
    }
}

/// A node, new at every start: `n` and 16 lower-case hexadecimal digits.
public struct NodeID: Hashable, Sendable, CustomStringConvertible {
    /// The id's text.
    public let text: String

    /// The id with these random bits.
    public init(random: UInt64) {
        let digits = String(random, radix: 16)
        text = "n" + String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// `nil` for anything but `n` and 16 lower-case hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 17, text.utf8.first == UInt8(ascii: "n"),
            text.utf8.dropFirst().allSatisfy(\.isLowercaseHexDigit)
        else { return nil }
        self.text = String(text)
    }

    /// The id's text.
    public var description: String { text }
}
