// HMAC-SHA256 (RFC 2104) with the work for the key done once: the states of SHA-256 after the inner and the outer pad
// are kept, and each token starts from copies of them. The state is a plain C struct, so copying it takes no lock and
// no allocation. And the one comparison that secrets may go through.

import COpenSSL

/// A key's two prepared states; the secret itself is not kept.
struct MACKey: Sendable {
    static let byteCount = Int(SHA256_DIGEST_LENGTH)

    private let inner: SHA256_CTX
    private let outer: SHA256_CTX

    init(secret: [UInt8]) {
        let key = secret.count > 64 ? sha256(secret) : secret
        let block = key + [UInt8](repeating: 0, count: 64 - key.count)
        inner = Self.state(after: block.map { $0 ^ 0x36 })
        outer = Self.state(after: block.map { $0 ^ 0x5c })
    }

    private static func state(after pad: [UInt8]) -> SHA256_CTX {
        var state = SHA256_CTX()
        SHA256_Init(&state)
        SHA256_Update(&state, pad, pad.count)
        return state
    }

    /// Writes the 32 bytes of the code for `message` to `code`.
    func authenticate(_ message: UnsafeRawBufferPointer, into code: UnsafeMutablePointer<UInt8>) {
        var state = inner
        SHA256_Update(&state, message.baseAddress, message.count)
        SHA256_Final(code, &state)
        state = outer
        SHA256_Update(&state, code, Self.byteCount)
        SHA256_Final(code, &state)
    }

    /// The same, as an array.
    func code(for message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { code, count in
            count = Self.byteCount
            guard let start = code.baseAddress else { return }
            message.withUnsafeBytes { authenticate($0, into: start) }
        }
    }
}

/// Compares without telling by its duration where the first difference is.
public enum ConstantTime {
    /// Whether both have the same bytes. Their lengths are no secret.
    public static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }

    /// The same for `count` bytes at two places.
    static func areEqual(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, count: Int) -> Bool {
        CRYPTO_memcmp(left, right, count) == 0
    }
}

/// The 32 bytes of SHA-256 of `bytes`.
package func sha256(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, count in
        var state = SHA256_CTX()
        SHA256_Init(&state)
        SHA256_Update(&state, bytes, bytes.count)
        SHA256_Final(digest.baseAddress, &state)
        count = Int(SHA256_DIGEST_LENGTH)
    }
}
