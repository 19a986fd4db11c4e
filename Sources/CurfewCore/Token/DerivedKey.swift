// Keys for everything but tokens: derived from the signing secret with a label each (HKDF, RFC 5869, SHA-256, no salt), so that
// one of them says nothing about another, nor about the secret.

/// An HMAC key for one purpose.
struct DerivedKey: Sendable {
    private let mac: MACKey

    init(secret: [UInt8], label: String) {
        mac = MACKey(secret: Self.bytes(secret: secret, label: label))
    }

    /// The key itself: 32 bytes, one block of HKDF.
    static func bytes(secret: [UInt8], label: String) -> [UInt8] {
        let extracted = MACKey(secret: [UInt8](repeating: 0, count: MACKey.byteCount)).code(for: secret)
        return MACKey(secret: extracted).code(for: Array(label.utf8) + [1])
    }

    /// The HMAC of a text, base64url.
    func code(for text: String) -> String { Base64URL.text(mac.code(for: Array(text.utf8))) }

    /// Whether it is `code`. Does not tell by its duration where the first difference is.
    func accepts(_ code: String, for text: String) -> Bool {
        ConstantTime.areEqual(Array(self.code(for: text).utf8), Array(code.utf8))
    }

    /// The text, a dot and its HMAC.
    func sealed(_ text: String) -> String { "\(text).\(code(for: text))" }
}
