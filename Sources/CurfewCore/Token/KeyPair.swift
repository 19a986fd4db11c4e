// Key pairs, for tokens that verifiers elsewhere can check without a secret: Ed25519 (RFC 8032) and ECDSA with P-256 and SHA-256
// (FIPS 186-5), by libcrypto. Signatures are as JWS has them: 64 bytes (RFC 7518 section 3.4, RFC 8037 section 3.1).

import COpenSSL

/// A private key and its public one, never changed.
final class KeyPair: @unchecked Sendable {  // libcrypto's keys may be used by many threads once they are made.
    /// Two numbers of 32 bytes, whichever algorithm.
    static let signatureBytes = 64
    private static let numberBytes = 32

    let algorithm: SigningAlgorithm
    private let key: OpaquePointer

    /// Takes over the key, of this algorithm; without its private half it only verifies.
    init(_ algorithm: SigningAlgorithm, _ key: OpaquePointer) {
        (self.algorithm, self.key) = (algorithm, key)
    }

    deinit { EVP_PKEY_free(key) }

    /// Reads PKCS #8 PEM without a passphrase.
    convenience init(pem: String) throws(SigningKeyError) {
        defer { ERR_clear_error() }
        guard let info = Self.info(pem) else { throw .privateKeyUnreadable }
        defer { PKCS8_PRIV_KEY_INFO_free(info) }
        guard let key = EVP_PKCS82PKEY(info) else { throw .privateKeyUnreadable }
        guard let algorithm = Self.algorithm(of: key) else {
            EVP_PKEY_free(key)
            throw .privateKeyOfOtherAlgorithm
        }
        self.init(algorithm, key)
        guard isSound else { throw .privateKeyUnreadable }
    }

    /// libcrypto reads the text where it stands: it must stay there as long.
    private static func info(_ pem: String) -> OpaquePointer? {
        Array(pem.utf8).withUnsafeBytes { bytes in
            guard let input = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
            defer { BIO_free(input) }
            return PEM_read_bio_PKCS8_PRIV_KEY_INFO(input, nil, nil, nil)
        }
    }

    /// A new one, of the system's randomness. `nil` for HS256, which has no pairs.
    static func generate(_ algorithm: SigningAlgorithm) -> KeyPair? {
        guard let context = generator(algorithm) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_generate(context, &key) == 1, let key else {
            preconditionFailure("libcrypto makes no key: nothing may be signed")
        }
        return KeyPair(algorithm, key)
    }

    private static func generator(_ algorithm: SigningAlgorithm) -> OpaquePointer? {
        let name = algorithm == .eddsa ? "ED25519" : "EC"
        guard algorithm != .hs256, let context = EVP_PKEY_CTX_new_from_name(nil, name, nil) else { return nil }
        let isReady =
            EVP_PKEY_keygen_init(context) == 1
            && (algorithm == .eddsa || EVP_PKEY_CTX_set_group_name(context, "P-256") == 1)
        precondition(isReady, "libcrypto has Ed25519 and P-256")
        return context
    }

    private static func algorithm(of key: OpaquePointer) -> SigningAlgorithm? {
        switch EVP_PKEY_get_id(key) {
        case NID_ED25519: return .eddsa
        case NID_X9_62_id_ecPublicKey:
            var name = [CChar](repeating: 0, count: 64)
            guard EVP_PKEY_get_group_name(key, &name, name.count, nil) == 1 else { return nil }
            return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self) == "prime256v1"
                ? .es256 : nil
        default: return nil
        }
    }

    /// Whether private and public key belong together.
    private var isSound: Bool {
        guard let context = EVP_PKEY_CTX_new(key, nil) else { return false }
        defer { EVP_PKEY_CTX_free(context) }
        return algorithm == .eddsa || EVP_PKEY_check(context) == 1
    }

    /// PKCS #8 PEM.
    var pem: String {
        guard let output = BIO_new(BIO_s_mem()) else { preconditionFailure("no memory for a key") }
        defer { BIO_free(output) }
        var text = [UInt8](repeating: 0, count: 4096)
        guard PEM_write_bio_PKCS8PrivateKey(output, key, nil, nil, 0, nil, nil) == 1 else {
            preconditionFailure("libcrypto writes the keys that it made")
        }
        let count = Int(BIO_read(output, &text, Int32(text.count)))
        return String(decoding: text.prefix(max(0, count)), as: UTF8.self)
    }

    /// The private number itself, 32 bytes; other keys are derived from it.
    var secret: [UInt8] {
        if algorithm == .es256 { return number(OSSL_PKEY_PARAM_PRIV_KEY) }
        var (bytes, count) = ([UInt8](repeating: 0, count: Self.numberBytes), Self.numberBytes)
        precondition(EVP_PKEY_get_raw_private_key(key, &bytes, &count) == 1 && count == Self.numberBytes)
        return bytes
    }

    func publicKey(id: String) -> PublicKey {
        if algorithm == .es256 {
            let (x, y) = (number(OSSL_PKEY_PARAM_EC_PUB_X), number(OSSL_PKEY_PARAM_EC_PUB_Y))
            return PublicKey(id: id, algorithm: algorithm, x: x, y: y)
        }
        var (bytes, count) = ([UInt8](repeating: 0, count: Self.numberBytes), Self.numberBytes)
        precondition(EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1 && count == Self.numberBytes)
        return PublicKey(id: id, algorithm: algorithm, x: bytes, y: nil)
    }

    private func number(_ name: String) -> [UInt8] {
        var number: OpaquePointer?
        defer { BN_clear_free(number) }
        var bytes = [UInt8](repeating: 0, count: Self.numberBytes)
        precondition(
            EVP_PKEY_get_bn_param(key, name, &number) == 1
                && BN_bn2binpad(number, &bytes, Int32(bytes.count)) == bytes.count, "a key of P-256 has its numbers")
        return bytes
    }

    // MARK: - Signatures

    /// Ed25519's is the same each time, ECDSA's is not.
    func signature(of message: [UInt8]) -> [UInt8] {
        withDigest { context in
            // The longest form: ECDSA's in DER (RFC 3279 section 2.2.3).
            var (bytes, count) = ([UInt8](repeating: 0, count: 80), 80)
            let isSigned =
                EVP_DigestSignInit(context, nil, digest, nil, key) == 1
                && EVP_DigestSign(context, &bytes, &count, message, message.count) == 1
            precondition(isSigned, "libcrypto signs with the keys that it took")
            return algorithm == .eddsa ? Array(bytes.prefix(count)) : Self.plain(Array(bytes.prefix(count)))
        }
    }

    /// Whether the 64 bytes are this key's signature of the message.
    func accepts(_ signature: UnsafeRawBufferPointer, of message: UnsafeRawBufferPointer) -> Bool {
        defer { ERR_clear_error() }
        let signature = algorithm == .eddsa ? Array(signature) : Self.encoded(signature)
        return withDigest { context in
            EVP_DigestVerifyInit(context, nil, digest, nil, key) == 1
                && EVP_DigestVerify(
                    context, signature, signature.count, message.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    message.count) == 1
        }
    }

    /// Ed25519 hashes by itself.
    private var digest: OpaquePointer? { algorithm == .eddsa ? nil : EVP_sha256() }

    private func withDigest<Result>(_ body: (OpaquePointer) -> Result) -> Result {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a signature") }
        defer { EVP_MD_CTX_free(context) }
        return body(context)
    }

    /// ECDSA's two numbers out of DER, one behind the other.
    private static func plain(_ encoded: [UInt8]) -> [UInt8] {
        var numbers = [UInt8](repeating: 0, count: signatureBytes)
        encoded.withUnsafeBufferPointer { encoded in
            var at = encoded.baseAddress
            let signature = d2i_ECDSA_SIG(nil, &at, encoded.count)
            defer { ECDSA_SIG_free(signature) }
            numbers.withUnsafeMutableBufferPointer { numbers in
                let count = Int32(numberBytes)
                precondition(
                    BN_bn2binpad(ECDSA_SIG_get0_r(signature), numbers.baseAddress, count) == count
                        && BN_bn2binpad(
                            ECDSA_SIG_get0_s(signature), numbers.baseAddress.map { $0 + numberBytes }, count) == count,
                    "the numbers of P-256 have 32 bytes")
            }
        }
        return numbers
    }

    /// The way back.
    private static func encoded(_ numbers: UnsafeRawBufferPointer) -> [UInt8] {
        let start = numbers.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let (r, s) = (
            BN_bin2bn(start, Int32(numberBytes), nil),
            BN_bin2bn(start.map { $0 + numberBytes }, Int32(numberBytes), nil)
        )
        guard let signature = ECDSA_SIG_new(), ECDSA_SIG_set0(signature, r, s) == 1 else {
            preconditionFailure("no memory for a signature")
        }
        defer { ECDSA_SIG_free(signature) }
        var encoded: UnsafeMutablePointer<UInt8>?
        let count = i2d_ECDSA_SIG(signature, &encoded)
        defer { CRYPTO_free(encoded, #file, #line) }
        return Array(UnsafeBufferPointer(start: encoded, count: max(0, Int(count))))
    }
}
