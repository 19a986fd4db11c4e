// Refresh tokens: a session, a generation, and an HMAC of both under a key that only the nodes have, so 256 bits that nobody can
// guess. Redis keeps the generation that is good now and no secret, not even a hash of one; and an old token can be told
// from a made-up one, so that nobody can end a session who only knows its id (docs/adr/0009-refresh-tokens-by-generation.md).

/// `cfr_<24 digits of the session's id>.<generation>.<HMAC, base64url>`
public struct RefreshToken: Hashable, Sendable {
    public let session: SessionID
    /// 1 at issue; each use makes the next.
    public let generation: UInt64

    public init(session: SessionID, generation: UInt64) {
        self.session = session
        self.generation = generation
    }

    static let prefix = "cfr_"
    /// The longest text that can be one.
    static let maximumBytes = 4 + 24 + 1 + 19 + 1 + 43

    /// Everything but the HMAC.
    var message: String { "\(Self.prefix)\(session.description.dropFirst(4)).\(generation)" }
}

extension KeyRing {
    /// Signed with the key of when it is given out.
    public func encode(_ token: RefreshToken, issuedAt: WallTime) -> String {
        signingKey(at: issuedAt).refresh.sealed(token.message)
    }

    /// Throws `malformed` for what no node could have written, `signatureInvalid` where no key of the ring made it.
    public func decodeRefreshToken(_ text: String) throws(TokenRefusal) -> RefreshToken {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= RefreshToken.maximumBytes, parts.count == 3, parts[0].hasPrefix(RefreshToken.prefix),
            let session = SessionID("ses_" + parts[0].dropFirst(RefreshToken.prefix.count)),
            let generation = UInt64(parts[1]), generation > 0, generation < Int64.max, String(generation) == parts[1]
        else { throw .malformed }
        let token = RefreshToken(session: session, generation: generation)
        let given = Array(text.utf8)
        guard keys.contains(where: { ConstantTime.areEqual(Array($0.refresh.sealed(token.message).utf8), given) })
        else { throw .signatureInvalid }
        return token
    }

    /// What a browser sends back beside its cookie (OWASP's signed double submit, bound to the session).
    public func crossSiteToken(of session: SessionID, at now: WallTime) -> String {
        signingKey(at: now).crossSite.code(for: session.description)
    }

    /// Whether it is this session's.
    public func isCrossSiteToken(_ text: String, of session: SessionID) -> Bool {
        keys.contains { $0.crossSite.accepts(text, for: session.description) }
    }
}
