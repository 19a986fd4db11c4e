// A signing key: what tokens are signed and verified with, and the header that each of its tokens begins with.

/// Why a key can't be used.
public enum SigningKeyError: Error, Equatable, Sendable {
    /// The secret has fewer than the 32 bytes that HS256 demands (RFC 7518 section 3.2).
    case secretTooShort(bytes: Int)
    /// A key's id is 1–64 of `[A-Za-z0-9._-]`.
    case idMalformed
}

/// An HS256 key. It keeps what the secret gave, not the secret.
public struct SigningKey: Sendable {
    /// The fewest bytes that a secret may have.
    public static let minimumSecretBytes = 32

    /// What tokens name it by (`kid`).
    public let id: String
    let mac: MACKey
    let refresh: DerivedKey
    let crossSite: DerivedKey
    let bodies: DerivedKey
    let sealing: SealingKey
    /// The first segment of each of its tokens and the dot behind it.
    let headerSegment: [UInt8]

    /// A key with an id of its own.
    public init(id: String, secret: [UInt8]) throws(SigningKeyError) {
        guard secret.count >= Self.minimumSecretBytes else { throw .secretTooShort(bytes: secret.count) }
        guard (1...64).contains(id.utf8.count), id.utf8.allSatisfy(\.isKeyIDByte) else { throw .idMalformed }
        self.id = id
        mac = MACKey(secret: secret)
        refresh = DerivedKey(secret: secret, label: "curfew refresh token")
        crossSite = DerivedKey(secret: secret, label: "curfew cross-site token")
        bodies = DerivedKey(secret: secret, label: "curfew bodies")
        sealing = SealingKey(key: DerivedKey.bytes(secret: secret, label: "curfew sealing"))
        var segment: [UInt8] = []
        Base64URL.encode(Array(#"{"alg":"HS256","typ":"session+jwt","kid":"\#(id)"}"#.utf8), to: &segment)
        headerSegment = segment + [UInt8(ascii: ".")]
    }

    /// A key whose id follows from its secret, so that nodes with the same secret agree: 16 hexadecimal digits of an
    /// HMAC under the secret, which tell nothing about it.
    public static func derived(fromSecret secret: [UInt8]) throws(SigningKeyError) -> SigningKey {
        let code = MACKey(secret: secret).code(for: Array("curfew kid".utf8))
        let bits = code.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let digits = String(bits, radix: 16)
        return try SigningKey(id: String(repeating: "0", count: 16 - digits.utf8.count) + digits, secret: secret)
    }
}

extension UInt8 {
    /// `[A-Za-z0-9._-]`.
    var isKeyIDByte: Bool {
        switch self {
        case 48...57, 65...90, 97...122, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
