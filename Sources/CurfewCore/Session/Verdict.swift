// The verdict: from a token's bytes, what the node knows and the time to one closed answer. It allocates nothing, and
// it never says `active` from a partition that is not known to be fresh (promise 2).
//
// The order decides which of two reasons is told: size, shape, key, signature, claims, issuer and audience, expiry,
// partition, revocation, freshness. So what is known to be revoked is refused even when the partition is stale.

/// What a node can say of a token.
public enum Verdict: Sendable {
    /// The token is good as of at most `age` ago.
    case active(ActiveToken)
    /// The token is no good, however fresh the partition is.
    case refused(TokenRefusal)
    /// Nothing known here speaks against the token, but the partition can't be proved fresh: the caller reads Redis,
    /// or answers that it can't tell.
    case stale(StaleToken)
}

/// A token that is good.
public struct ActiveToken: Sendable {
    /// What it says; points into the scratch memory.
    public let claims: ClaimsView
    /// Permissions that replace the token's own.
    public let permissionsChange: PermissionsChange?
    /// How old the state behind this answer may be.
    public let age: Duration
}

/// A token of which only the freshness is missing.
public struct StaleToken: Sendable {
    /// What it says; points into the scratch memory.
    public let claims: ClaimsView
    /// Permissions that replace the token's own, as far as is known here.
    public let permissionsChange: PermissionsChange?
    /// How old the state behind this answer may be; huge where the partition never was fresh.
    public let age: Duration
}

extension KeyRing {
    /// How many seconds past its `exp` a token is still good: expiry is the one thing that compares two clocks.
    public static let leewaySeconds: Int64 = 10

    /// Judges one token. `boot` and `wall` are the node's clocks, read after the token came in; `scratch` has at least
    /// `scratchBytes` and must stay untouched for as long as the claims are used. Safe to call from many threads.
    public func verdict(
        on token: UnsafeRawBufferPointer, table: PartitionTable, boot: BootTime, wall: WallTime,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Verdict {
        let claims: ClaimsView
        switch verify(token, scratch: scratch) {
        case .success(let view): claims = view
        case .failure(let refusal): return .refused(refusal)
        }
        guard wall.seconds - Self.leewaySeconds < claims.expiresAt.seconds else { return .refused(.expired) }
        guard claims.notBefore.seconds - Self.leewaySeconds <= wall.seconds else { return .refused(.malformed) }

        // Cutoffs are looked up where the session says that its user lives: that must be true.
        let memory = UnsafeRawBufferPointer(scratch)
        let user = UnsafeRawBufferPointer(rebasing: memory[claims.user])
        let partition = claims.session.partition
        guard table.count.partition(ofUser: user) == partition else { return .refused(.malformed) }

        let tenant = claims.tenant.map { UnsafeRawBufferPointer(rebasing: memory[$0]) }
        return table.withPartition(partition) { slot in
            let standing = slot.state.standing(
                session: claims.session, user: user, tenant: tenant, stamp: claims.stamp,
                permissionsVersion: claims.permissionsVersion, boot: boot)
            let change: PermissionsChange?
            switch standing {
            case .live(let newest): change = newest
            case .revoked: return .refused(.revoked)
            case .expired: return .refused(.idle)
            case .superseded: return .refused(.superseded)
            }
            let age = boot - slot.feed.freshAsOf
            return slot.feed.isFresh(at: boot) && !slot.feed.isClockOff(at: wall)
                ? .active(ActiveToken(claims: claims, permissionsChange: change, age: age))
                : .stale(StaleToken(claims: claims, permissionsChange: change, age: age))
        }
    }
}
