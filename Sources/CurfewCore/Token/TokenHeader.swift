// Reading a header that is not, byte for byte, one that this library writes (RFC 8725 section 3, RFC 7515 section 4).

/// The three members that a header must have. What names a key of its own or changes how the rest is read is refused,
/// what says nothing to us is ignored.
struct TokenHeader {
    private var algorithm: SigningAlgorithm?
    private var hasType = false
    private var id: JSONCursor.Text?

    /// `alg` and `kid` of the header in the `count` bytes at `scratch`; `nil` for a header that names no algorithm of ours or
    /// is not `session+jwt`, or does not say so well.
    static func read(
        _ scratch: UnsafeMutableRawPointer, count: Int, isASCII: Bool
    ) -> (algorithm: SigningAlgorithm, keyID: UnsafeRawBufferPointer)? {
        guard isASCII || UTF8Check.isValid(UnsafeRawBufferPointer(start: scratch, count: count)) else { return nil }
        scratch.storeBytes(of: 0, toByteOffset: count, as: UInt8.self)
        var header = TokenHeader()
        var cursor = JSONCursor(scratch)
        guard cursor.readObject({ header.read($1, from: &$0) }), cursor.at == count,
            let algorithm = header.algorithm, header.hasType, let id = header.id
        else { return nil }
        return (algorithm, UnsafeRawBufferPointer(start: scratch + id.start, count: id.count))
    }

    private mutating func read(_ name: JSONCursor.Text, from cursor: inout JSONCursor) -> MemberOutcome {
        if cursor.equals(name, "alg") {
            guard algorithm == nil, let value = cursor.string() else { return .refused }
            algorithm = Self.algorithm(value, in: cursor)
            return MemberOutcome(algorithm != nil)
        }
        if cursor.equals(name, "typ") {
            guard !hasType, let value = cursor.string() else { return .refused }
            hasType = cursor.equals(value, "session+jwt")
            return MemberOutcome(hasType)
        }
        if cursor.equals(name, "kid") {
            guard id == nil, let value = cursor.string() else { return .refused }
            id = value
            let bytes = UnsafeRawBufferPointer(start: cursor.text + value.start, count: value.count)
            return MemberOutcome((1...64).contains(bytes.count) && bytes.allSatisfy(\.isKeyIDByte))
        }
        let isForbidden =
            cursor.equals(name, "jku") || cursor.equals(name, "jwk") || cursor.equals(name, "x5u")
            || cursor.equals(name, "x5c") || cursor.equals(name, "crit") || cursor.equals(name, "b64")
        return isForbidden ? .refused : .unknown
    }

    private static func algorithm(_ text: JSONCursor.Text, in cursor: JSONCursor) -> SigningAlgorithm? {
        if cursor.equals(text, "HS256") { return .hs256 }
        if cursor.equals(text, "EdDSA") { return .eddsa }
        return cursor.equals(text, "ES256") ? .es256 : nil
    }
}
