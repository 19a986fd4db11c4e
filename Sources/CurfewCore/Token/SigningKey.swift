// A signing key: what tokens are signed and verified with, from when on, and the header that each of its tokens begins with.

/// How tokens are signed (RFC 7518 section 3.1, RFC 8037 section 3.1); the raw value is their `alg`.
public enum SigningAlgorithm: String, Sendable, CaseIterable {
    /// HMAC with SHA-256, under a secret.
    case hs256 = "HS256"
    /// Ed25519.
    case eddsa = "EdDSA"
    /// ECDSA with P-256 and SHA-256.
    case es256 = "ES256"
}

/// Why a key can't be used.
public enum SigningKeyError: Error, Equatable, Sendable {
    /// The secret has fewer than the 32 bytes that HS256 demands (RFC 7518 section 3.2).
    case secretTooShort(bytes: Int)
    /// A key's id is 1–64 of `[A-Za-z0-9._-]`.
    case idMalformed
    /// No private key in PKCS #8 PEM without a passphrase (RFC 5958, RFC 7468 section 10), or a broken one.
    case privateKeyUnreadable
    /// A private key, but not one that this algorithm takes.
    case privateKeyOfOtherAlgorithm
}

/// A key of any algorithm. It keeps what the secret gave, not the secret.
public struct SigningKey: TakesTurns, Sendable {
    /// The fewest bytes that a secret may have.
    public static let minimumSecretBytes = 32
    /// The longest `kid`.
    static let maximumIDBytes = 64

    /// What tokens name it by (`kid`).
    public let id: String
    /// `alg` of its tokens. No other is taken under its id (RFC 8725 section 3.1).
    public let algorithm: SigningAlgorithm
    /// It signs what is issued from then on, until a younger key does. It verifies at once.
    public let activeFrom: WallTime
    let signer: Signer
    let refresh: DerivedKey
    let crossSite: DerivedKey
    let bodies: DerivedKey
    let fingerprints: MACKey
    let sealing: SealingKey
    /// The first segment of each of its tokens and the dot behind it.
    let headerSegment: [UInt8]

    /// An HS256 key with an id of its own.
    public init(
        id: String, secret: [UInt8], activeFrom: WallTime = WallTime(seconds: 0)
    ) throws(SigningKeyError) {
        guard secret.count >= Self.minimumSecretBytes else { throw .secretTooShort(bytes: secret.count) }
        try self.init(id: id, .hs256, .mac(MACKey(secret: secret)), derivingFrom: secret, activeFrom)
    }

    /// An EdDSA or ES256 key. `privateKey`: PKCS #8 PEM. Throws `privateKeyOfOtherAlgorithm` for HS256, too.
    public init(
        id: String, privateKey: String, algorithm: SigningAlgorithm, activeFrom: WallTime = WallTime(seconds: 0)
    ) throws(SigningKeyError) {
        let pair = try KeyPair(pem: privateKey)
        guard pair.algorithm == algorithm else { throw .privateKeyOfOtherAlgorithm }
        try self.init(id: id, algorithm, .pair(pair), derivingFrom: pair.secret, activeFrom)
    }

    private init(
        id: String, _ algorithm: SigningAlgorithm, _ signer: Signer, derivingFrom secret: [UInt8],
        _ activeFrom: WallTime
    ) throws(SigningKeyError) {
        guard (1...Self.maximumIDBytes).contains(id.utf8.count), id.utf8.allSatisfy(\.isKeyIDByte) else {
            throw .idMalformed
        }
        self.id = id
        self.algorithm = algorithm
        self.activeFrom = activeFrom
        self.signer = signer
        refresh = DerivedKey(secret: secret, label: "curfew refresh token")
        crossSite = DerivedKey(secret: secret, label: "curfew cross-site token")
        fingerprints = MACKey(secret: DerivedKey.bytes(secret: secret, label: "curfew fingerprints"))
        bodies = DerivedKey(secret: secret, label: "curfew bodies")
        sealing = SealingKey(key: DerivedKey.bytes(secret: secret, label: "curfew sealing"))
        headerSegment = Self.headerSegment(algorithm, id: id)
    }

    static func headerSegment(_ algorithm: SigningAlgorithm, id: String) -> [UInt8] {
        var segment: [UInt8] = []
        let header = #"{"alg":"\#(algorithm.rawValue)","typ":"session+jwt","kid":"\#(id)"}"#
        Base64URL.encode(Array(header.utf8), to: &segment)
        return segment + [UInt8(ascii: ".")]
    }

    /// A key whose id follows from its secret, so that nodes with the same secret agree: 16 hexadecimal digits of an
    /// HMAC under the secret, which tell nothing about it.
    public static func derived(fromSecret secret: [UInt8]) throws(SigningKeyError) -> SigningKey {
        try SigningKey(id: derivedID(fromSecret: secret), secret: secret)
    }

    /// The id of such a key.
    public static func derivedID(fromSecret secret: [UInt8]) -> String {
        let code = MACKey(secret: secret).code(for: Array("curfew kid".utf8))
        let bits = code.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// What verifiers elsewhere need; `nil` for a secret.
    public var publicKey: PublicKey? {
        guard case .pair(let pair) = signer else { return nil }
        return pair.publicKey(id: id)
    }
}

/// What makes and checks signatures.
enum Signer: Sendable {
    case mac(MACKey)
    case pair(KeyPair)

    /// The longest signature of any.
    static let maximumBytes = KeyPair.signatureBytes

    /// Of each signature.
    var signatureBytes: Int {
        switch self {
        case .mac: MACKey.byteCount
        case .pair: KeyPair.signatureBytes
        }
    }

    func signature(of message: [UInt8]) -> [UInt8] {
        switch self {
        case .mac(let key): key.code(for: message)
        case .pair(let pair): pair.signature(of: message)
        }
    }

    /// Whether the `signatureBytes` at `signature` are this key's for the message. `code` has room for an HMAC.
    func accepts(
        _ signature: UnsafeRawPointer, of message: UnsafeRawBufferPointer, code: UnsafeMutableRawPointer
    ) -> Bool {
        switch self {
        case .mac(let key):
            key.authenticate(message, into: code.assumingMemoryBound(to: UInt8.self))
            return ConstantTime.areEqual(code, signature, count: MACKey.byteCount)
        case .pair(let pair):
            return pair.accepts(
                UnsafeRawBufferPointer(start: signature, count: KeyPair.signatureBytes), of: message)
        }
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
