// Verifying a token, RFC 8725 in full, on bytes and without allocating. The order is: size, shape, key, signature,
// claims. Nothing of the payload is looked into before its signature is known to be good.

extension KeyRing {
    /// Checks everything but expiry and revocation. What it returns points into `scratch`. A refusal is an answer here,
    /// not an error: throwing would cost more than judging.
    func verify(
        _ token: UnsafeRawBufferPointer, scratch: UnsafeMutableRawBufferPointer
    ) -> Result<ClaimsView, TokenRefusal> {
        precondition(scratch.count >= Self.scratchBytes)
        guard let base = token.baseAddress, let scratch = scratch.baseAddress else { return .failure(.malformed) }
        // The signature is always 43 digits long, so its dot has one place. Any dot too many is no base64url digit.
        let signedCount = token.count - Base64URL.encodedCount(MACKey.byteCount) - 1
        guard token.count <= Self.maximumTokenBytes, signedCount > 0, base[signedCount] == UInt8(ascii: ".")
        else { return .failure(.malformed) }
        let signed = UnsafeRawBufferPointer(start: base, count: signedCount)
        let key: (index: Int, headerCount: Int)
        switch self.key(of: signed, scratch: scratch) {
        case .success(let found): key = found
        case .failure(let refusal): return .failure(refusal)
        }

        let payload = UnsafeRawBufferPointer(start: base + key.headerCount, count: signedCount - key.headerCount)
        let signature = UnsafeRawBufferPointer(
            start: base + signedCount + 1, count: token.count - signedCount - 1)
        guard let decoded = Base64URL.decode(payload, into: scratch),
            Base64URL.decode(signature, into: scratch + Scratch.signatureStart)?.count == MACKey.byteCount
        else { return .failure(.malformed) }

        let code = scratch + Scratch.codeStart
        keys[key.index].mac.authenticate(signed, into: code.assumingMemoryBound(to: UInt8.self))
        guard ConstantTime.areEqual(code, scratch + Scratch.signatureStart, count: MACKey.byteCount)
        else { return .failure(.signatureInvalid) }

        guard
            let view = ClaimsParser.parse(scratch, count: decoded.count, isASCII: decoded.isASCII, ring: self)
        else { return .failure(.malformed) }
        return .success(view)
    }

    /// Which key the header names, and how long the header and its dot are. Tokens of our own begin with exactly the
    /// bytes that each key has at hand; any other header is read.
    private func key(
        of signed: UnsafeRawBufferPointer, scratch: UnsafeMutableRawPointer
    ) -> Result<(index: Int, headerCount: Int), TokenRefusal> {
        for index in keys.indices where signed.begins(with: keys[index].headerSegment) {
            return .success((index, keys[index].headerSegment.count))
        }
        guard let dot = signed.firstIndex(of: UInt8(ascii: ".")),
            let decoded = Base64URL.decode(UnsafeRawBufferPointer(rebasing: signed[..<dot]), into: scratch),
            let id = TokenHeader.keyID(scratch, count: decoded.count, isASCII: decoded.isASCII)
        else { return .failure(.malformed) }
        for index in keys.indices where id.elementsEqual(keys[index].id.utf8) { return .success((index, dot + 1)) }
        return .failure(.signatureInvalid)
    }
}
