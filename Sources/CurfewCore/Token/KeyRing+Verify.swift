// Verifying a token, RFC 8725 in full, on bytes and without allocating. The order is: size, shape, key, signature,
// claims. Nothing of the payload is looked into before its signature is known to be good.

extension KeyRing {
    /// Checks everything but expiry and revocation. What it returns points into `scratch`.
    func verify(
        _ token: UnsafeRawBufferPointer, scratch: UnsafeMutableRawBufferPointer
    ) throws(TokenRefusal) -> ClaimsView {
        precondition(scratch.count >= Self.scratchBytes)
        guard let base = token.baseAddress, let scratch = scratch.baseAddress else { throw .malformed }
        // The signature is always 43 digits long, so its dot has one place. Any dot too many is no base64url digit.
        let signedCount = token.count - Base64URL.encodedCount(MACKey.byteCount) - 1
        guard token.count <= Self.maximumTokenBytes, signedCount > 0, base[signedCount] == UInt8(ascii: ".")
        else { throw .malformed }
        let signed = UnsafeRawBufferPointer(start: base, count: signedCount)
        let (index, headerCount) = try key(of: signed, scratch: scratch)

        let payload = UnsafeRawBufferPointer(start: base + headerCount, count: signedCount - headerCount)
        let signature = UnsafeRawBufferPointer(
            start: base + signedCount + 1, count: token.count - signedCount - 1)
        guard let count = Base64URL.decode(payload, into: scratch),
            Base64URL.decode(signature, into: scratch + Scratch.signatureStart) == MACKey.byteCount
        else { throw .malformed }

        let code = scratch + Scratch.codeStart
        keys[index].mac.authenticate(signed, into: code.assumingMemoryBound(to: UInt8.self))
        guard ConstantTime.areEqual(code, scratch + Scratch.signatureStart, count: MACKey.byteCount)
        else { throw .signatureInvalid }

        guard let view = ClaimsParser.parse(scratch, count: count, issuer: issuerBytes, audience: audienceBytes)
        else { throw .malformed }
        return view
    }

    /// Which key the header names, and how long the header and its dot are. Tokens of our own begin with exactly the
    /// bytes that each key has at hand; any other header is read.
    private func key(
        of signed: UnsafeRawBufferPointer, scratch: UnsafeMutableRawPointer
    ) throws(TokenRefusal) -> (index: Int, headerCount: Int) {
        for index in keys.indices where signed.begins(with: keys[index].headerSegment) {
            return (index, keys[index].headerSegment.count)
        }
        guard let dot = signed.firstIndex(of: UInt8(ascii: ".")),
            let count = Base64URL.decode(UnsafeRawBufferPointer(rebasing: signed[..<dot]), into: scratch),
            let id = TokenHeader.keyID(scratch, count: count)
        else { throw .malformed }
        for index in keys.indices where id.elementsEqual(keys[index].id.utf8) { return (index, dot + 1) }
        throw .signatureInvalid
    }
}

/// Reading a header that is not, byte for byte, one of ours.
private enum TokenHeader {
    private static let forbidden: [StaticString] = ["jku", "jwk", "x5u", "x5c", "crit", "b64"]

    /// The `kid` of a header that says `HS256` and `session+jwt`; `nil` for every other header. What names a key or
    /// changes how the rest is read is refused; what says nothing to us is ignored (RFC 7515 section 4).
    static func keyID(_ scratch: UnsafeMutableRawPointer, count: Int) -> UnsafeRawBufferPointer? {
        guard UTF8Check.isValid(UnsafeRawBufferPointer(start: scratch, count: count)) else { return nil }
        scratch.storeBytes(of: 0, toByteOffset: count, as: UInt8.self)
        var (hasAlgorithm, hasType) = (false, false)
        var id: UnsafeRawBufferPointer?
        var cursor = JSONCursor(scratch)
        let isRead = cursor.readObject { cursor, name in
            if cursor.equals(name, "alg") {
                guard !hasAlgorithm, let value = cursor.string() else { return .refused }
                hasAlgorithm = cursor.equals(value, "HS256")
                return MemberOutcome(hasAlgorithm)
            }
            if cursor.equals(name, "typ") {
                guard !hasType, let value = cursor.string() else { return .refused }
                hasType = cursor.equals(value, "session+jwt")
                return MemberOutcome(hasType)
            }
            if cursor.equals(name, "kid") {
                guard id == nil, let value = cursor.string() else { return .refused }
                let bytes = UnsafeRawBufferPointer(start: scratch + value.start, count: value.count)
                id = bytes
                return MemberOutcome((1...64).contains(bytes.count) && bytes.allSatisfy(\.isKeyIDByte))
            }
            return forbidden.contains { cursor.equals(name, $0) } ? .refused : .unknown
        }
        return isRead && cursor.at == count && hasAlgorithm && hasType ? id : nil
    }
}
