// What a device says of itself, so that a token that was carried off to another one is noticed: kept, and signed, only as a keyed
// hash, which says nothing to whoever reads Redis or a token, and is another one in each login.

extension KeyRing {
    /// The longest fingerprint, in bytes.
    public static let maximumFingerprintBytes = 256
    /// Of HMAC-SHA-256 so many bytes count: nobody can try many.
    static let fingerprintCodeBytes = 16
    /// Digits of a code: 22.
    public static let fingerprintCodeCount = Base64URL.encodedCount(fingerprintCodeBytes)

    /// The code of a login's fingerprint, under the key that signs now: 22 digits.
    public func fingerprintCode(of fingerprint: [UInt8], for session: SessionID, at now: WallTime) -> String {
        let message = fingerprint.withUnsafeBytes { given in
            Self.withMessage(of: given, for: session) { Array($0) }
        }
        return Base64URL.text(signingKey(at: now).fingerprints.code(for: message).prefix(Self.fingerprintCodeBytes))
    }

    /// Whether a node made this code of that fingerprint, with whatever key. Allocates nothing on the heap.
    public func isFingerprint(
        _ given: UnsafeRawBufferPointer, ofCode code: UnsafeRawBufferPointer, for session: SessionID
    ) -> Bool {
        guard given.count <= Self.maximumFingerprintBytes, code.count == Self.fingerprintCodeCount else { return false }
        return withUnsafeTemporaryAllocation(
            byteCount: 2 * MACKey.byteCount + Base64URL.slack, alignment: 16
        ) { room in
            guard let made = room.baseAddress else { return false }
            let expected = made + MACKey.byteCount
            guard Base64URL.decode(code, into: expected)?.count == Self.fingerprintCodeBytes else { return false }
            return Self.withMessage(of: given, for: session) { message in
                keys.contains { key in
                    key.fingerprints.authenticate(message, into: made.assumingMemoryBound(to: UInt8.self))
                    return ConstantTime.areEqual(made, expected, count: Self.fingerprintCodeBytes)
                }
            }
        }
    }

    /// What is hashed: the login's own bits, then what the device says.
    private static func withMessage<Result>(
        of fingerprint: UnsafeRawBufferPointer, for session: SessionID, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(byteCount: 16 + fingerprint.count, alignment: 16) { message in
            message.storeBytes(of: session.family.high.bigEndian, as: UInt64.self)
            message.storeBytes(of: session.family.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            UnsafeMutableRawBufferPointer(rebasing: message[16...]).copyMemory(from: fingerprint)
            return body(UnsafeRawBufferPointer(message))
        }
    }
}
