// What a device says of itself, so that a token that was carried off to another one is noticed: kept, and signed, only as a keyed
// hash, which says nothing to whoever reads Redis or a token, and is another one in each login.

extension KeyRing {
    /// The longest fingerprint, in bytes.
    public static let maximumFingerprintBytes = 256
    /// Of HMAC-SHA-256 so many bytes count: nobody can try many.
    static let fingerprintCodeBytes = 16
    /// Digits of a code.
    static let fingerprintCodeCount = Base64URL.encodedCount(fingerprintCodeBytes)

    /// The code of a login's fingerprint, under the key that signs now: 22 digits.
    public func fingerprintCode(of fingerprint: [UInt8], for session: SessionID, at now: WallTime) -> String {
        var message: [UInt8] = []
        for word in [session.family.high.bigEndian, session.family.low.bigEndian] {
            withUnsafeBytes(of: word) { message.append(contentsOf: $0) }
        }
        message += fingerprint
        var digits: [UInt8] = []
        let code = signingKey(at: now).fingerprints.code(for: message)
        Base64URL.encode(code.prefix(Self.fingerprintCodeBytes), to: &digits)
        return String(decoding: digits, as: UTF8.self)
    }

    /// Whether a node made this code of that fingerprint, with whatever key. Allocates nothing on the heap.
    public func isFingerprint(
        _ given: UnsafeRawBufferPointer, ofCode code: UnsafeRawBufferPointer, for session: SessionID
    ) -> Bool {
        guard given.count <= Self.maximumFingerprintBytes, code.count == Self.fingerprintCodeCount else { return false }
        let idBytes = 16
        return withUnsafeTemporaryAllocation(
            byteCount: idBytes + Self.maximumFingerprintBytes + 2 * MACKey.byteCount + Base64URL.slack, alignment: 16
        ) { room in
            guard let message = room.baseAddress else { return false }
            let made = message + idBytes + Self.maximumFingerprintBytes
            let expected = made + MACKey.byteCount
            guard Base64URL.decode(code, into: expected)?.count == Self.fingerprintCodeBytes else { return false }
            message.storeBytes(of: session.family.high.bigEndian, as: UInt64.self)
            message.storeBytes(of: session.family.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            if let start = given.baseAddress {
                (message + idBytes).copyMemory(from: start, byteCount: given.count)
            }
            let text = UnsafeRawBufferPointer(start: message, count: idBytes + given.count)
            return keys.contains { key in
                key.fingerprints.authenticate(text, into: made.assumingMemoryBound(to: UInt8.self))
                return ConstantTime.areEqual(made, expected, count: Self.fingerprintCodeBytes)
            }
        }
    }
}
