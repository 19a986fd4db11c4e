// Issue: one script writes the record, the token is signed here. The token's size is tried before anything is written:
// issue never leaves a session behind whose token validate would refuse.

import CurfewCore
import CurfewRedis

extension SessionService {
    /// Creates a session. Idempotent where its number is `drawn`: the same request gives the same session and token, however often
    /// and on whatever node. Else a retry after `redisUnavailable` may leave a session that nobody holds a token of.
    package func issue(_ request: IssueRequest) async throws(ServiceError) -> IssuedSession {
        let partition = count.partition(ofUser: request.user.text.utf8)
        let drawn = request.drawn ?? (surroundings.random(), surroundings.random())
        let session = SessionID(partition: partition, high: drawn.high, low: drawn.low).family
        var request = request
        request.fingerprintCode = request.fingerprint.map {
            keyRing.fingerprintCode(of: Array($0.utf8), for: session, at: clock.wall())
        }
        try checkTokenSize(request)
        // A token's times come from Redis' clock. One that is off would make tokens that live too long, or are dead already.
        guard !isClockOff(for: partition) else { throw .stale(detail: ClockSkew.detail) }
        if case .session(let id)? = request.replaces { _ = try self.partition(of: id) }
        if request.drawn != nil, let issued = try await issuedBefore(session, request) { return issued }
        // Before a place is taken for a login that is none.
        if let state = request.state { try await asConflict { () throws(ServiceError) in try await checkState(state) } }
        try await refuseLockedOutAddress(of: request)
        var limits = try await reserve(request, in: partition)
        do throws(ServiceError) {
            return try await issue(request, session, in: partition, &limits)
        } catch {
            if limits.isCounted { await unreserve(error, limits, request.user, in: partition) }
            throw error
        }
    }

    private func issue(
        _ request: IssueRequest, _ session: SessionID, in partition: Partition, _ limits: inout LoginLimits
    ) async throws(ServiceError) -> IssuedSession {
        var begunAt: Stamp?
        if let state = request.state {
            // It is gone once it was asked for: not before the session can be written.
            _ = try await writableLink(of: partition, until: surroundings.uptime + configuration.redisTimeout)
            begunAt = try await begun(state, partition)
        }
        let replaced = try await replaced(by: request)
        let wallBefore = clock.wall()
        guard let reply = try await written(session, request, begunAt: begunAt, replaces: replaced, &limits) else {
            // Another attempt of the same call was quicker.
            if let issued = try await issuedBefore(session, request) { return issued }
            throw .conflict(detail: "the session of this login has ended")
        }
        for event in reply.events { driver.hear(event, in: partition) }
        table.withPartition(partition) { $0.feed.see(reply.stamp) }
        recordEnds(of: reply.events, reply.ended, user: request.user)
        // Since the last poll. Nobody gets a token of what was written.
        guard !ClockSkew.isTooLarge(redis: reply.issuedAt, before: wallBefore, after: clock.wall()) else {
            throw .stale(detail: ClockSkew.detail)
        }
        recordLogin(request, session, at: reply.issuedAt)
        if reply.mayBeNewDevice, (try? await hasLivingSession(request.user, besides: session)) ?? true {
            recordLogin(request, session, at: reply.issuedAt, signal: .newDevice)
        }
        return try issued(
            request, session, issuedAt: reply.issuedAt, stamp: reply.stamp, version: reply.permissionsVersion,
            sessionExpiresAt: WallTime(
                seconds: reply.issuedAt.seconds + configuration.settings(of: request.kind).lifetime.components.seconds))
    }

    private func issued(
        _ request: IssueRequest, _ session: SessionID, issuedAt: WallTime, stamp: Stamp, version: UInt64,
        sessionExpiresAt: WallTime
    ) throws(ServiceError) -> IssuedSession {
        let claims = claims(request, session, issuedAt: issuedAt, stamp: stamp, version: version)
        return IssuedSession(
            session: session, user: request.user, device: request.device, kind: request.kind, token: try sign(claims),
            issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, sessionExpiresAt: sessionExpiresAt,
            refreshToken: request.kind == .api
                ? keyRing.encode(RefreshToken(session: session, generation: 1), issuedAt: issuedAt) : nil)
    }

    /// What this very request made before. Everything in the answer is in the record. (A signature by ES256 is another one each time, and as good.)
    private func issuedBefore(
        _ session: SessionID, _ request: IssueRequest
    ) async throws(ServiceError) -> IssuedSession? {
        guard let view = try await followedRecord(of: session) else { return nil }
        guard knownRefusal(of: view) == nil else { throw .conflict(detail: "the session of this login has ended") }
        guard view.session == session else { throw .conflict(detail: "the session of this login has a newer id") }
        let wall = clock.wall()
        guard view.createdAt.seconds <= wall.seconds + ClockSkew.boundSeconds else {
            throw .stale(detail: ClockSkew.detail)
        }
        var request = request
        request.permissions = view.permissions
        request.fingerprintCode = view.fingerprint
        return try issued(
            request, session, issuedAt: view.createdAt, stamp: view.stamp, version: view.permissionsVersion,
            sessionExpiresAt: view.expiresAt)
    }

    /// How often a login looks again at what else the user has, while others log in at the same time.
    private static let maximumTries = 20

    /// `nil` where the session was made before.
    private func written(
        _ session: SessionID, _ request: IssueRequest, begunAt: Stamp?, replaces: IndexMember?,
        _ limits: inout LoginLimits
    ) async throws(ServiceError) -> IssueReply? {
        let partition = session.partition
        var isKnownDevicesOnly = configuration.revokingSignals.contains(.newDevice)
        for turn in 1...Self.maximumTries {
            var room: SessionRoom?
            if let limit = configuration.sessionLimit { room = try await self.room(of: request.user, limit) }
            let result = try await send(to: partition) {
                [room, isKnownDevicesOnly, limits] followed throws(RedisError) in
                let call = driver.calls.issue(
                    session, user: request.user, device: request.device, tenant: request.tenant,
                    lifetime: configuration.lifetime(of: request.kind), hasRefreshToken: request.kind == .api,
                    isKnownDevicesOnly: isKnownDevicesOnly, mayBeRepeated: request.drawn != nil, begunAt: begunAt,
                    room: room, replaces: replaces, limits: limits, record: SessionRecord.fields(of: request),
                    driver.known(partition))
                // A login that a primary takes which was cut off is lost, and its stamp is above what the others revoke meanwhile.
                let probe = followed.primary.needsWriteProbes ? WriteProbe.command(keys, partition) : nil
                return try IssueReply.result(
                    try await WriteProbe.run(call, then: probe, on: followed.link, for: "issue"))
            }
            switch result {
            case .success(let reply): return reply
            case .failure(.locked): try await refuseLockedOut(request, in: partition)
            case .failure(.limited):
                try await countIssue(of: request.user, limits.name, in: partition)
                limits.isCounted = true
            case .failure(.taken): return nil
            case .failure(.cutOff):
                throw .conflict(detail: "the user was logged out everywhere since this login was begun")
            case .failure(.newDevice):
                guard try await hasLivingSession(request.user, besides: session) else {
                    isKnownDevicesOnly = false
                    continue
                }
                recordLogin(request, nil, at: clock.wall(), signal: .newDevice)
                throw .conflict(
                    detail: "the user has sessions, none of them on this device, and on-suspicious ends such a login")
            case .failure(.full): throw .sessionLimitReached
            case .failure(.changed):
                // Others are quicker: not all at once again.
                let pause = Duration.microseconds(Int64(surroundings.random() % UInt64(turn * 2_000)))
                do { try await surroundings.sleep(for: pause) } catch { break }
            }
        }
        throw .overloaded(detail: "the user logs in too often at the same time")
    }

    /// The former session, which ends in the same step as this one begins. Another user's ends here and now; `nil` then, too.
    private func replaced(by request: IssueRequest) async throws(ServiceError) -> IndexMember? {
        let former: (session: SessionID, user: UserID?, device: DeviceID?)
        switch request.replaces {
        case nil: return nil
        case .token(let token):
            guard let claims = try? keyRing.decode(Array(token.utf8)) else { return nil }
            former = (claims.session, claims.user, claims.device)
        case .session(let id):
            let view = try await followedRecord(of: id)
            former = (id, view?.user, view?.device)
        }
        guard former.user != request.user else { return IndexMember(session: former.session, device: former.device) }
        var options = ChangeOptions()
        options.reason = "replaced"
        _ = try await revoke(.session(former.session), options: options)
        return nil
    }

    /// The mark that a login was begun at. A state that is not there is no login.
    private func begun(_ state: String, _ partition: Partition) async throws(ServiceError) -> Stamp {
        let consumed = try await asConflict { () throws(ServiceError) in try await self.consumed(state) }
        return Int(partition.index) < consumed.marks.count ? consumed.marks[Int(partition.index)] : .zero
    }

    private func asConflict<Found>(
        _ find: () async throws(ServiceError) -> Found
    ) async throws(ServiceError) -> Found {
        do throws(ServiceError) {
            return try await find()
        } catch {
            guard case .notFound(let detail) = error else { throw error }
            throw .conflict(detail: detail)
        }
    }

    /// Throws `outOfRange` where this request's token, with the longest numbers it can have, would be too large.
    func checkTokenSize(_ request: IssueRequest) throws(ServiceError) {
        let partition = count.partition(ofUser: request.user.text.utf8)
        let draft = claims(
            request, SessionID(partition: partition, high: 0, low: 0), issuedAt: clock.wall(),
            stamp: Stamp(UInt64(Int64.max)), version: UInt64(Int64.max))
        let bytes = keyRing.largestTokenBytes(of: draft)
        guard bytes <= KeyRing.maximumTokenBytes else { throw Self.tooLarge(bytes) }
        guard request.kind == .api || bytes <= Cookies.maximumTokenBytes else {
            throw .outOfRange(
                detail:
                    "the token would have \(bytes) bytes, more than the \(Cookies.maximumTokenBytes) that fit into a "
                    + "cookie: fewer or shorter permissions")
        }
    }

    private func claims(
        _ request: IssueRequest, _ session: SessionID, issuedAt: WallTime, stamp: Stamp, version: UInt64
    ) -> Claims {
        let settings = configuration.settings(of: request.kind)
        let life = min(settings.tokenLifetime, settings.lifetime)
        return Claims(
            issuer: keyRing.issuer, audience: keyRing.audience, user: request.user, session: session,
            issuedAt: issuedAt, expiresAt: WallTime(seconds: issuedAt.seconds + life.components.seconds),
            kind: request.kind, stamp: stamp, device: request.device, tenant: request.tenant,
            fingerprint: request.fingerprintCode, permissions: request.permissions, permissionsVersion: version)
    }

    func sign(_ claims: Claims) throws(ServiceError) -> String {
        do {
            return String(decoding: try keyRing.encode(claims), as: UTF8.self)
        } catch {
            switch error {
            case .tooLarge(let bytes): throw Self.tooLarge(bytes)
            case .foreign, .outOfRange:
                throw .outOfRange(detail: "the session's times or issuer do not fit into a token")
            }
        }
    }

    private static func tooLarge(_ bytes: Int) -> ServiceError {
        .outOfRange(
            detail: "permissions: the token would have \(bytes) bytes, at most \(KeyRing.maximumTokenBytes) fit")
    }
}
