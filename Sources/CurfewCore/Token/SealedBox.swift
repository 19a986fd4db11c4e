// What only the nodes may read again: AES-256-GCM (NIST SP 800-38D) under a key of its own, with a random nonce and a name that it
// is bound to. For answers that are kept for a while and hold tokens (Idempotency-Key).

import COpenSSL

/// A key that seals texts and opens them again.
struct SealingKey: Sendable {
    private static let nonceBytes = 12
    private static let tagBytes = 16
    private let key: [UInt8]

    /// `key`: 32 bytes.
    init(key: [UInt8]) {
        precondition(key.count == 32)
        self.key = key
    }

    /// Nonce, ciphertext and tag. Opens under the same name only.
    func sealed(_ text: [UInt8], name: [UInt8]) -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: Self.nonceBytes)
        precondition(RAND_bytes(&nonce, Int32(nonce.count)) == 1, "no randomness: nothing may be sealed")
        return withContext { context in
            var tag = [UInt8](repeating: 0, count: Self.tagBytes)
            var (sealed, written) = ([UInt8](repeating: 0, count: text.count), Int32(0))
            let isDone =
                EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce) == 1
                && EVP_EncryptUpdate(context, nil, &written, name, Int32(name.count)) == 1
                && EVP_EncryptUpdate(context, &sealed, &written, text, Int32(text.count)) == 1
                && EVP_EncryptFinal_ex(context, nil, &written) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, Int32(Self.tagBytes), &tag) == 1
            precondition(isDone, "libcrypto has AES-256-GCM")
            return nonce + sealed + tag
        }
    }

    /// `nil` for what was sealed under another key or name, or changed since.
    func opened(_ bytes: [UInt8], name: [UInt8]) -> [UInt8]? {
        guard bytes.count >= Self.nonceBytes + Self.tagBytes else { return nil }
        let nonce = Array(bytes.prefix(Self.nonceBytes))
        let sealed = Array(bytes[Self.nonceBytes..<(bytes.count - Self.tagBytes)])
        var tag = Array(bytes.suffix(Self.tagBytes))
        return withContext { context in
            var (text, written) = ([UInt8](repeating: 0, count: sealed.count), Int32(0))
            let isGenuine =
                EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce) == 1
                && EVP_DecryptUpdate(context, nil, &written, name, Int32(name.count)) == 1
                && EVP_DecryptUpdate(context, &text, &written, sealed, Int32(sealed.count)) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, Int32(Self.tagBytes), &tag) == 1
                && EVP_DecryptFinal_ex(context, nil, &written) == 1
            return isGenuine ? text : nil
        }
    }

    private func withContext<Result>(_ body: (OpaquePointer) -> Result) -> Result {
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("no memory for a cipher") }
        defer { EVP_CIPHER_CTX_free(context) }
        return body(context)
    }
}

extension KeyRing {
    /// Seals a text, now, that any node with this ring may open, under the same name.
    public func sealed(_ text: [UInt8], name: String, at now: WallTime) -> [UInt8] {
        signingKey(at: now).sealing.sealed(text, name: Array(name.utf8))
    }

    /// `nil` for what no node sealed under this name.
    public func opened(_ bytes: [UInt8], name: String) -> [UInt8]? {
        for key in keys {
            if let text = key.sealing.opened(bytes, name: Array(name.utf8)) { return text }
        }
        return nil
    }

    /// Tells one request's body from another, and tells nobody else what it was.
    public func code(ofBody digest: String, at now: WallTime) -> String {
        signingKey(at: now).bodies.code(for: digest)
    }

    /// Whether a node made this code of that body, with whatever key.
    public func isCode(_ text: String, ofBody digest: String) -> Bool {
        keys.contains { $0.bodies.accepts(text, for: digest) }
    }
}
