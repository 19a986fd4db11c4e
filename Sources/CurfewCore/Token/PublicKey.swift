// What verifiers elsewhere know of a key pair.

/// The public half of a signing key, as a JSON Web Key has it (RFC 7517; RFC 7518 section 6.2, RFC 8037 section 2).
public struct PublicKey: Sendable, Equatable {
    /// `kid`.
    public let id: String
    /// `alg`: EdDSA or ES256.
    public let algorithm: SigningAlgorithm
    /// 32 bytes: of Ed25519 the key itself, of P-256 the point's x.
    public let x: [UInt8]
    /// 32 bytes: the point's y, for P-256 only.
    public let y: [UInt8]?

    /// `kty`.
    public var type: String { y == nil ? "OKP" : "EC" }
    /// `crv`.
    public var curve: String { y == nil ? "Ed25519" : "P-256" }
    /// `x` and `y`, base64url.
    public var coordinates: (x: String, y: String?) { (Base64URL.text(x), y.map { Base64URL.text($0) }) }
}

/// A private key in PKCS #8 PEM, made anew.
public enum NewPrivateKey {
    /// `nil` for HS256, which has a secret instead.
    public static func pem(_ algorithm: SigningAlgorithm) -> String? { KeyPair.generate(algorithm)?.pem }
}
