// Refresh: one script prolongs the session, the new token is signed here. It keeps the session's own stamp, so every revocation
// that ends the session ends the token too, whichever comes first, and whatever Redis has lost in between.

import CurfewCore
import CurfewRedis

extension SessionService {
    /// A new token for a session that goes on. Safe to repeat within the grace: the same refresh token gives the same new pair.
    /// Throws `tokenRefused` where there is nothing to renew, and ends the session where its refresh token is an old one.
    /// `within`: since when this very call has been tried, so that a use of the token since then may be its own.
    package func refresh(
        _ credential: RefreshCredential, from fingerprint: PresentedFingerprint, within elapsed: Duration = .zero
    ) async throws(ServiceError) -> IssuedSession {
        let grace = max(configuration.refreshGrace, elapsed)
        let renewable = try await renewable(credential)
        let (view, partition) = (renewable.view, renewable.view.session.partition)
        try await refuseOtherDevice(fingerprint, view)
        let newCode = newCode(of: fingerprint, view)
        guard !isClockOff(for: partition) else { throw .stale(detail: ClockSkew.detail) }
        do throws(ServiceError) {
            try await countRefresh(of: view.session)
        } catch {
            // The limit never hides a theft: who renews without end would keep its owner's old token from being noticed.
            guard case .rateLimited = error, renewable.isReplaced else { throw error }
        }
        let settings = configuration.settings(of: view.kind)
        let wallBefore = clock.wall()
        let reply = try await send(to: partition) { followed throws(RedisError) in
            let call = driver.calls.renew(
                view.living(as: view.session), lifetimeSeconds: settings.lifetime.components.seconds,
                generation: renewable.generation,
                graceMilliseconds: grace.wholeMilliseconds, fingerprintCode: newCode, driver.known(partition))
            return try RenewReply(
                try await WriteProbe.run(
                    call, then: WriteProbe.command(keys, partition), on: followed.link, for: "renew"))
        }
        switch reply {
        case .refused(let reason): throw .tokenRefused(reason)
        case .reused(let events):
            for event in events { driver.hear(event, in: partition) }
            recordSuspicion(.refreshTokenReused, AuditEntry(.sessionSuspicious, of: view, at: clock.wall()))
            record(.sessionTerminated, view, reason: RefusalReason.refreshTokenReused.rawValue)
            throw .tokenRefused(.refreshTokenReused)
        case .renewed(let renewed, let isAgain):
            if !isAgain { record(.sessionRenewed, view) }
            // A Redis that was demoted and promoted again on the same connection may have lost what this node knows.
            if let reason = knownRefusal(of: view) { throw .tokenRefused(reason) }
            guard !isTooOld(renewed, wallBefore, grace) else { throw .stale(detail: ClockSkew.detail) }
            var view = view
            view.fingerprint = newCode ?? view.fingerprint
            return try issued(view, renewed, hasRefreshToken: renewable.generation != nil)
        }
    }

    /// The session of a token, which may have run out. Throws `tokenRefused` where there is nothing to renew, as far as Redis and memory say
    /// before it is tried.
    func renewable(
        _ token: [UInt8], from fingerprint: PresentedFingerprint
    ) async throws(ServiceError) -> ActiveSession {
        let view = try await renewable(byToken: token).view
        try await refuseOtherDevice(fingerprint, view)
        guard !view.isOver(at: clock.wall()) else { throw .tokenRefused(.sessionExpired) }
        return ActiveSession(
            session: view.session, user: view.user, device: view.device, kind: view.kind, permissions: view.permissions,
            permissionsVersion: view.permissionsVersion, issuedAt: view.createdAt, expiresAt: view.expiresAt,
            shouldRefresh: true, ageMilliseconds: 0, isStale: false)
    }

    /// Why this is nothing that a node has signed; `nil` where it is.
    func forgery(of credential: RefreshCredential) -> RefusalReason? {
        do throws(TokenRefusal) {
            switch credential {
            case .token(let token): _ = try keyRing.decode(token)
            case .refreshToken(let text): _ = try keyRing.decodeRefreshToken(text)
            }
            return nil
        } catch {
            return RefusalReason(error)
        }
    }

    /// What is to be renewed, before Redis has the last word.
    private struct Renewable {
        let view: SessionView
        /// Of the refresh token.
        let generation: UInt64?

        /// Another was given for this refresh token: it is used again within the grace, or it was stolen.
        var isReplaced: Bool { generation.map { $0 < view.refreshGeneration ?? 0 } ?? false }
    }

    private func renewable(_ credential: RefreshCredential) async throws(ServiceError) -> Renewable {
        switch credential {
        case .token(let token): return try await renewable(byToken: token)
        case .refreshToken(let text):
            let token: RefreshToken
            do {
                token = try keyRing.decodeRefreshToken(text)
            } catch {
                throw .tokenRefused(RefusalReason(error))
            }
            return Renewable(view: try await stored(token.session), generation: token.generation)
        }
    }

    private func renewable(byToken token: [UInt8]) async throws(ServiceError) -> Renewable {
        let claims: Claims
        do {
            claims = try keyRing.decode(token)
        } catch {
            throw .tokenRefused(RefusalReason(error))
        }
        guard claims.kind != .api else {
            throw .malformed(detail: "a session of kind api is refreshed by its refreshToken, not by its token")
        }
        // A token that has run out says nothing of its session: a browser that was closed for days comes back with one.
        if let reason = refusal(of: token), reason != .tokenExpired { throw .tokenRefused(reason) }
        return Renewable(view: try await stored(claims), generation: nil)
    }

    /// The record of a token's session, which must be its user's.
    func stored(_ claims: Claims) async throws(ServiceError) -> SessionView {
        let view = try await stored(claims.session)
        guard view.user == claims.user else { throw .tokenRefused(.sessionNotFound) }
        return view
    }

    /// The record as it is. What this node knows to be over is refused without asking.
    func stored(_ session: SessionID) async throws(ServiceError) -> SessionView {
        guard session.partition.index < count.value else { throw .tokenRefused(.tokenMalformed) }
        let known = table.withPartition(session.partition) { slot in
            (isRevoked: slot.state.isRevoked(session), isExpired: slot.state.isExpired(session))
        }
        guard !known.isRevoked else { throw .tokenRefused(.sessionRevoked) }
        guard !known.isExpired else { throw .tokenRefused(.sessionExpired) }
        guard var view = try await followedRecord(of: session) else { throw .tokenRefused(.sessionNotFound) }
        // One that is ahead of the record was given by a Redis whose last writes are lost.
        guard view.session.rotation <= session.rotation else { throw .tokenRefused(.sessionSuperseded) }
        view.session = session
        if let reason = knownRefusal(of: view) { throw .tokenRefused(reason) }
        return view
    }

    /// The record where it is about to be changed: on the connection that the feed stands on. `nil` where there is none, and the
    /// Redis that says so may write: one that was demoted a moment ago does not know the latest logins.
    func followedRecord(of session: SessionID) async throws(ServiceError) -> SessionView? {
        try await send(to: session.partition) { followed throws(RedisError) in
            let record = RedisCommand("HGETALL", [RedisArgument(keys.record(session))])
            let probe = WriteProbe.command(keys, session.partition)
            let replies = try await followed.link.pipeline([record, probe], timeout: nil)
            guard replies.count == 2 else {
                throw .unexpectedReply(operation: "HGETALL", expected: "a reply to each command")
            }
            if let view = try SessionRecord.view(session, try replies[0].checked(for: "HGETALL")) { return view }
            // (Nothing has run: a redirect may be followed.)
            _ = try replies[1].checked(for: "write probe")
            return nil
        }
    }

    /// A renewal that was done by a clock that is off since the last poll. (The moment of a grace's first use is older by the grace.)
    func isTooOld(_ renewed: RenewedSession, _ wallBefore: WallTime, _ grace: Duration) -> Bool {
        let earliest = WallTime(seconds: wallBefore.seconds - grace.components.seconds - 1)
        return ClockSkew.isTooLarge(redis: renewed.renewedAt, before: earliest, after: clock.wall())
    }

    func issued(
        _ view: SessionView, _ renewed: RenewedSession, hasRefreshToken: Bool
    ) throws(ServiceError) -> IssuedSession {
        let life = configuration.settings(of: view.kind).tokenLifetime.components.seconds
        let expiresAt = min(renewed.renewedAt.seconds + life, renewed.expiresAt.seconds)
        var view = view
        (view.permissions, view.permissionsVersion) = (renewed.permissions, renewed.permissionsVersion)
        let claims = claims(of: view, issuedAt: renewed.renewedAt, expiresAt: WallTime(seconds: expiresAt))
        return IssuedSession(
            session: view.session, user: view.user, device: view.device, kind: view.kind, token: try sign(claims),
            issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, sessionExpiresAt: renewed.expiresAt,
            refreshToken: hasRefreshToken
                ? keyRing.encode(
                    RefreshToken(session: view.session, generation: renewed.generation), issuedAt: claims.issuedAt)
                : nil)
    }

    /// What a token of this session says.
    func claims(of view: SessionView, issuedAt: WallTime, expiresAt: WallTime) -> Claims {
        Claims(
            issuer: keyRing.issuer, audience: keyRing.audience, user: view.user, session: view.session,
            issuedAt: issuedAt, expiresAt: expiresAt, kind: view.kind, stamp: view.stamp, device: view.device,
            tenant: view.tenant, fingerprint: view.fingerprint, permissions: view.permissions,
            permissionsVersion: view.permissionsVersion)
    }
}
