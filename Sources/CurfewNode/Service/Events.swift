// What a device hears of its own session, from any node: its end, and changes of its permissions. Told from the partition's state, so
// nothing is missed that was lost on its way here and made up for later; an event only adds its reason and its place.

import CurfewCore
import CurfewRedis

/// What one message of a stream says.
package struct SessionEvent: Sendable, Equatable {
    package enum News: Sendable, Equatable {
        /// Why, in the words of who ended it, where that is known.
        case revoked(reason: String?)
        case permissionsChanged(Permissions, version: UInt64)
        case expired
        /// What was missed can't be told one by one any more: this is how it stands.
        case resync(Permissions, version: UInt64)
        /// Nothing: still here.
        case none
    }

    package var news: News
    /// Up to where everything was told.
    package var id: FenceToken?
    package var at: WallTime
}

/// A stream that may begin.
package struct SessionEvents: Sendable {
    package let session: SessionID
    fileprivate let claims: Claims
    fileprivate let signals: AsyncStream<StreamSignal>
    fileprivate let first: [SessionEvent]
    /// The newest change of permissions that the client is known to know: that of its token, at first.
    fileprivate let version: UInt64
    fileprivate let isOver: Bool
}

extension SessionService {
    /// - Parameter lastID: `Last-Event-ID`, where there is one. Throws `tokenRefused` where the session is not active; one that was
    ///   revoked since `lastID` is told so by the stream itself.
    package func events(
        token: [UInt8], lastID: String?
    ) async throws(ServiceError) -> SessionEvents {
        let result = try await validate(token: token, options: ValidateOptions())
        let claims: Claims
        do {
            claims = try keyRing.decode(token)
        } catch {
            throw .tokenRefused(RefusalReason(error))
        }
        // Listens before it looks: what comes in between is told twice at worst, and looked at once.
        let subject = EventStreams.Subject(
            session: claims.session, user: claims.user, tenant: claims.tenant, expiresAt: claims.expiresAt)
        func stream(_ first: [SessionEvent], version: UInt64, isOver: Bool) throws(ServiceError) -> SessionEvents {
            SessionEvents(
                session: claims.session, claims: claims, signals: try driver.streams.open(subject), first: first,
                version: version, isOver: isOver)
        }
        switch result {
        case .refused(.sessionRevoked) where lastID != nil:
            return try stream([event(.revoked(reason: nil), claims)], version: 0, isOver: true)
        case .refused(let reason): throw .tokenRefused(reason)
        case .active: break
        }
        let opened = try stream([], version: claims.permissionsVersion, isOver: false)
        guard let lastID, await !isLogged(lastID, claims) else { return opened }
        let (permissions, version) = permissions(of: claims)
        return SessionEvents(
            session: opened.session, claims: claims, signals: opened.signals,
            first: [event(.resync(permissions, version: version), claims)], version: version, isOver: false)
    }

    /// Sends what there is to say until the session or its token is over, or `send` fails.
    package func follow(
        _ events: SessionEvents, _ send: (SessionEvent) async throws -> Void
    ) async throws {
        for event in events.first { try await send(event) }
        guard !events.isOver else { return }
        let claims = events.claims
        var told = events.version
        func look(_ cause: Event?) async throws -> Bool {
            let id = cause.map { FenceToken(partition: claims.session.partition, position: $0.position) }
            if isRevoked(claims) {
                try await send(event(.revoked(reason: cause.flatMap { $0.change.ends ? $0.reason : nil }), claims, id))
                return false
            }
            let (permissions, version) = permissions(of: claims)
            if version > told {
                told = version
                try await send(event(.permissionsChanged(permissions, version: version), claims, id))
            } else if cause == nil {
                try await send(event(.none, claims))
            }
            return true
        }
        // What there is already; what comes now is signalled.
        guard try await look(nil) else { return }
        for await signal in events.signals {
            switch signal {
            case .event(let event): guard try await look(event) else { return }
            case .look: guard try await look(nil) else { return }
            case .expired:
                // Renewed, it goes on under its new token.
                if try await !lives(claims.session) { try await send(event(.expired, claims)) }
                return
            }
        }
    }

    /// Whether the log still has this event. What came since is told from the state. Where Redis can't be asked, nobody knows.
    private func isLogged(_ lastID: String, _ claims: Claims) async -> Bool {
        let partition = claims.session.partition
        guard let token = FenceToken(lastID), token.partition == partition else { return false }
        let events = try? await read(from: partition) { client throws(RedisError) in
            let command = LogPage.command(from: token.position, count: 1, of: partition, keys)
            return try LogPage.events(in: try await client.send(command))
        }
        return events?.first?.position == token.position
    }

    private func event(_ news: SessionEvent.News, _ claims: Claims, _ id: FenceToken? = nil) -> SessionEvent {
        let partition = claims.session.partition
        let applied = table.withPartition(partition) { $0.feed.applied }
        return SessionEvent(
            news: news, id: id ?? applied.map { FenceToken(partition: partition, position: $0) }, at: clock.wall())
    }

    private func standing(_ claims: Claims) -> Standing {
        let (user, tenant) = (Array(claims.user.text.utf8), claims.tenant.map { Array($0.text.utf8) })
        return table.withPartition(claims.session.partition) { slot in
            user.withUnsafeBytes { user in
                (tenant ?? []).withUnsafeBytes { bytes in
                    slot.state.standing(
                        session: claims.session, user: user, tenant: tenant == nil ? nil : bytes, stamp: claims.stamp,
                        permissionsVersion: claims.permissionsVersion)
                }
            }
        }
    }

    private func isRevoked(_ claims: Claims) -> Bool { standing(claims) == .revoked }

    /// As they are now, with the number that validate names them by.
    private func permissions(of claims: Claims) -> (Permissions, version: UInt64) {
        guard case .live(let change?) = standing(claims) else {
            return (claims.permissions, claims.permissionsVersion)
        }
        return (change.permissions, change.stamp.microseconds)
    }

    private func lives(_ session: SessionID) async throws(ServiceError) -> Bool {
        let record = try await read(from: session.partition) { client throws(RedisError) in
            let fields = RedisCommand("HGETALL", [RedisArgument(keys.record(session))])
            return try SessionRecord.view(session, try await client.send(fields))
        }
        return record.map { clock.wall() < $0.expiresAt } ?? false
    }
}

extension Change {
    /// Whether it ends sessions.
    fileprivate var ends: Bool {
        switch self {
        case .sessions, .user, .tenant, .everyone: true
        case .permissions, .nothing: false
        }
    }
}
