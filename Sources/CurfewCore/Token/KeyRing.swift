// The keys of a cluster and the issuer and audience that its tokens name: what it takes to sign a token and to read
// one. Rotating keys means a ring with both the old and the new one; either verifies, and which one signs follows from when the token
// is issued: so all nodes with the same ring sign the same token with the same key, without a word between them.

/// Why a token can't be made.
public enum TokenEncodingError: Error, Equatable, Sendable {
    /// It would have so many bytes, more than the 4,096 that verify takes.
    case tooLarge(bytes: Int)
    /// Issuer or audience are not the ring's.
    case foreign
    /// A time before 1970, or a number above 2^63 − 1.
    case outOfRange
}

/// Signing and verifying keys, immutable.
public struct KeyRing: Sendable {
    /// The most bytes a token can have.
    public static let maximumTokenBytes = Scratch.maximumTokenBytes
    /// The memory that `verdict` needs for one token.
    public static let scratchBytes = Scratch.byteCount
    /// The most keys that a ring can have.
    public static let maximumKeys = 32

    /// `iss` of every token.
    public let issuer: String
    /// `aud` of every token.
    public let audience: String
    /// The youngest first.
    let keys: [SigningKey]
    let issuerBytes: [UInt8]
    let audienceBytes: [UInt8]
    /// What every payload that the ring encodes begins with.
    let opening: [UInt8]

    /// Of keys that are active from the same moment on, the last counts as the youngest. `nil` where there are no keys or more than
    /// 32, where two have one id, or where issuer or audience are not 1–128 bytes without control characters.
    public init?(_ keys: [SigningKey], issuer: String, audience: String) {
        guard (1...Self.maximumKeys).contains(keys.count), Set(keys.map(\.id)).count == keys.count,
            IdentifierRule.accepts(issuer), IdentifierRule.accepts(audience)
        else { return nil }
        self.keys = keys.youngestFirst
        self.issuer = issuer
        self.audience = audience
        issuerBytes = Array(issuer.utf8)
        audienceBytes = Array(audience.utf8)
        opening = Array("{\"iss\":\(quoted(issuer)),\"aud\":\(quoted(audience)),".utf8)
    }

    /// The ids of all keys, the youngest first.
    public var keyIDs: [String] { keys.map(\.id) }

    /// Those that are no secret, active or not yet: whoever verifies elsewhere knows them before they count.
    public var publicKeys: [PublicKey] { keys.compactMap(\.publicKey) }

    /// What signs at a moment: the youngest key that is active by then; the oldest one always is.
    public func signingKey(at time: WallTime) -> SigningKey { keys.signing(at: time) }

    /// How many bytes a token of these claims has at most, whatever key signs it, now or after a rotation.
    public func largestTokenBytes(of claims: Claims) -> Int {
        Self.bytes(
            header: Self.longestHeaderBytes, payload: opening.count + claims.json.count, signature: Signer.maximumBytes)
    }

    /// Of a token whose header has so many digits, its dot among them, and payload and signature so many bytes.
    private static func bytes(header: Int, payload: Int, signature: Int) -> Int {
        header + Base64URL.encodedCount(payload) + 1 + Base64URL.encodedCount(signature)
    }

    private static let longestHeaderBytes =
        SigningKey.headerSegment(.hs256, id: String(repeating: "k", count: SigningKey.maximumIDBytes)).count

    /// Signs `claims` with the key of when they were issued: a compact JWT (RFC 7519) in ASCII. Refuses what verify would refuse.
    public func encode(_ claims: Claims) throws(TokenEncodingError) -> [UInt8] {
        guard claims.issuer.utf8.elementsEqual(issuerBytes), claims.audience.utf8.elementsEqual(audienceBytes)
        else { throw .foreign }
        let largest = UInt64(Int64.max)
        guard claims.issuedAt.seconds >= 0, claims.expiresAt.seconds >= 0, claims.stamp.microseconds <= largest,
            claims.permissionsVersion <= largest
        else { throw .outOfRange }
        let key = signingKey(at: claims.issuedAt)
        let payload = opening + claims.json
        let bytes = Self.bytes(
            header: key.headerSegment.count, payload: payload.count, signature: key.signer.signatureBytes)
        guard bytes <= Self.maximumTokenBytes else { throw .tooLarge(bytes: bytes) }
        var token = key.headerSegment
        token.reserveCapacity(bytes)
        Base64URL.encode(payload, to: &token)
        let signature = key.signer.signature(of: token)
        token.append(UInt8(ascii: "."))
        Base64URL.encode(signature, to: &token)
        assert(token.count == bytes)
        return token
    }

    /// Reads a token at leisure: signature and claims are checked, expiry and revocation are not. Throws `malformed`
    /// or `signatureInvalid`.
    public func decode(_ token: [UInt8]) throws(TokenRefusal) -> Claims {
        var scratch = [UInt8](repeating: 0, count: Self.scratchBytes)
        let result = scratch.withUnsafeMutableBytes { scratch in
            token.withUnsafeBytes { verify($0, scratch: scratch) }.flatMap { view in
                Claims(view, UnsafeRawBufferPointer(scratch), ring: self).map { .success($0) } ?? .failure(.malformed)
            }
        }
        return try result.get()
    }
}

extension Claims {
    /// The payload behind issuer and audience, members in a fixed order.
    fileprivate var json: [UInt8] {
        var text = "\"sub\":\(quoted(user.text))"
        text += ",\"sid\":\"\(session)\",\"iat\":\(issuedAt.seconds),\"exp\":\(expiresAt.seconds)"
        text += ",\"knd\":\"\(kind.rawValue)\",\"stp\":\(stamp.microseconds)"
        if let device { text += ",\"did\":\(quoted(device.text))" }
        if let tenant { text += ",\"ten\":\(quoted(tenant.text))" }
        if let fingerprint { text += ",\"fpr\":\(quoted(fingerprint))" }
        text += ",\"prm\":"
        return Array(text.utf8) + permissions.json + Array(",\"prv\":\(permissionsVersion)}".utf8)
    }

    fileprivate init?(_ view: ClaimsView, _ bytes: UnsafeRawBufferPointer, ring: KeyRing) {
        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        let array = text(view.permissions).dropFirst(2).dropLast(2)
        let names = array.isEmpty ? [] : array.split(separator: "\",\"").map(String.init)
        guard let user = UserID(text(view.user)), let permissions = Permissions(names) else { return nil }
        self.init(
            issuer: ring.issuer, audience: ring.audience, user: user, session: view.session, issuedAt: view.issuedAt,
            expiresAt: view.expiresAt, kind: view.kind, stamp: view.stamp,
            device: view.plainDevice.flatMap { DeviceID(text($0)) }, tenant: view.tenant.flatMap { TenantID(text($0)) },
            fingerprint: view.fingerprint.map(text), permissions: permissions,
            permissionsVersion: view.permissionsVersion)
    }
}

/// A JSON string. Ids have no control characters, so only two characters need an escape.
private func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        if scalar == "\"" || scalar == "\\" { quoted.unicodeScalars.append("\\") }
        quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
}
