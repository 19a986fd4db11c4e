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
        guard token.count <= Self.maximumTokenBytes else { return .failure(.malformed) }
        let key: (index: Int, headerCount: Int)
        switch self.key(of: token, scratch: scratch) {
        case .success(let found): key = found
        case .failure(let refusal): return .failure(refusal)
        }
        // A key's signatures are all of one length, so their dot has one place. Any dot too many is no base64url digit.
        let signatureBytes = keys[key.index].signer.signatureBytes
        let signedCount = token.count - Base64URL.encodedCount(signatureBytes) - 1
        guard signedCount >= key.headerCount, base[signedCount] == UInt8(ascii: ".") else {
            return .failure(.malformed)
        }

        let payload = UnsafeRawBufferPointer(start: base + key.headerCount, count: signedCount - key.headerCount)
        let signature = UnsafeRawBufferPointer(
            start: base + signedCount + 1, count: token.count - signedCount - 1)
        guard let decoded = Base64URL.decode(payload, into: scratch),
            Base64URL.decode(signature, into: scratch + Scratch.signatureStart)?.count == signatureBytes
        else { return .failure(.malformed) }

        let signed = UnsafeRawBufferPointer(start: base, count: signedCount)
        guard
            keys[key.index].signer.accepts(
                scratch + Scratch.signatureStart, of: signed, code: scratch + Scratch.codeStart)
        else { return .failure(.signatureInvalid) }

        guard
            let view = ClaimsParser.parse(scratch, count: decoded.count, isASCII: decoded.isASCII, ring: self)
        else { return .failure(.malformed) }
        return .success(view)
    }

    /// Which key the header names, and how long the header and its dot are. Tokens of our own begin with exactly the
    /// bytes that each key has at hand; any other header is read.
    private func key(
        of token: UnsafeRawBufferPointer, scratch: UnsafeMutableRawPointer
    ) -> Result<(index: Int, headerCount: Int), TokenRefusal> {
        for index in keys.indices where token.begins(with: keys[index].headerSegment) {
            return .success((index, keys[index].headerSegment.count))
        }
        guard let dot = token.firstIndex(of: UInt8(ascii: ".")),
            let decoded = Base64URL.decode(UnsafeRawBufferPointer(rebasing: token[..<dot]), into: scratch),
            let header = TokenHeader.read(scratch, count: decoded.count, isASCII: decoded.isASCII)
        else { return .failure(.malformed) }
        for index in keys.indices where header.keyID.elementsEqual(keys[index].id.utf8) {
            // The key says what it is used with, never the token (RFC 8725 section 3.1).
            return header.algorithm == keys[index].algorithm ? .success((index, dot + 1)) : .failure(.malformed)
        }
        return .failure(.signatureInvalid)
    }
}
