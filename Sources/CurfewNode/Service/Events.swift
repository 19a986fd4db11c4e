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
        /// It has a newer id: whoever has a token of that goes on with it.
        case superseded
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
    fileprivate let claims: Claims
    /// What it was opened with.
    fileprivate let token: [UInt8]
    fileprivate let signals: AsyncStream<StreamSignal>
    /// What it begins with, before anything is looked at.
    fileprivate let first: SessionEvent?
    /// The newest change of permissions that the client is known to know: that of its token, at first.
    fileprivate let version: UInt64

    package var session: SessionID { claims.session }
}

extension SessionService {
    /// - Parameter lastID: `Last-Event-ID`, where there is one. Throws `tokenRefused` where the session is not active; but who was
    ///   listening before is told of the end by the stream itself, and listens on where only the token has run out.
    package func events(
        token: [UInt8], from fingerprint: PresentedFingerprint, lastID: String?
    ) async throws(ServiceError) -> SessionEvents {
        var options = ValidateOptions()
        options.fingerprint = fingerprint
        let result = try await validate(token: token, options: options)
        let claims: Claims
        do {
            claims = try keyRing.decode(token)
        } catch {
            throw .tokenRefused(RefusalReason(error))
        }
        var refusal: RefusalReason?
        if case .refused(let reason) = result { refusal = reason }
        // In its leeway: the stream that it had has ended with it.
        if refusal == nil, lastID != nil, claims.expiresAt <= clock.wall() { refusal = .tokenExpired }
        var expiresAt = claims.expiresAt
        if let refusal {
            guard let lastID, refusal != .deviceMismatch else { throw .tokenRefused(refusal) }
            switch try await resumption(of: claims, refusedFor: refusal, from: fingerprint) {
            case .over(let news): return await ended(news, claims, token, since: lastID)
            case .listens(let end): expiresAt = end
            }
        }
        // Listens before it looks: what comes in between is told twice at worst, and looked at once.
        let signals = try driver.streams.open(
            EventStreams.Subject(
                session: claims.session, user: claims.user, tenant: claims.tenant, expiresAt: expiresAt))
        func stream(_ first: SessionEvent?, version: UInt64) -> SessionEvents {
            SessionEvents(claims: claims, token: token, signals: signals, first: first, version: version)
        }
        guard let lastID, await !isLogged(lastID, claims) else {
            return stream(nil, version: claims.permissionsVersion)
        }
        let change: PermissionsChange? = if case .live(let change) = standing(claims) { change } else { nil }
        let (permissions, version) = claims.permissions(after: change)
        return stream(event(.resync(permissions, version: version), claims), version: version)
    }

    /// A stream that says only how the session ended: in the words of the event that ended it, where the log still has that.
    private func ended(
        _ news: SessionEvent.News, _ claims: Claims, _ token: [UInt8], since lastID: String
    ) async -> SessionEvents {
        let end = await loggedEnd(of: claims, since: lastID)
        let id = end.map { FenceToken(partition: claims.session.partition, position: $0.position) }
        return SessionEvents(
            claims: claims, token: token, signals: AsyncStream { nil },
            first: event(end?.end(of: claims) ?? news, claims, id),
            version: 0)
    }

    /// Sends what there is to say until the session or its token is over, the key that signed it is gone, or `send` fails.
    package func follow(
        _ events: SessionEvents, _ send: (SessionEvent) async throws -> Void
    ) async throws {
        if let first = events.first {
            try await send(first)
            switch first.news {
            case .revoked, .expired, .superseded: return
            case .permissionsChanged, .resync, .none: break
            }
        }
        let claims = events.claims
        var told = events.version
        func look(_ cause: Event?) async throws -> Bool {
            // Its key may have been taken out.
            guard (try? keyRing.decode(events.token)) != nil else { return false }
            let id = cause.map { FenceToken(partition: claims.session.partition, position: $0.position) }
            let change: PermissionsChange?
            switch standing(claims) {
            case .revoked:
                try await send(event(cause?.end(of: claims) ?? .revoked(reason: nil), claims, id))
                return false
            case .expired:
                try await send(event(.expired, claims, id))
                return false
            case .superseded:
                try await send(event(.superseded, claims, id))
                return false
            case .live(let newest): change = newest
            }
            let (permissions, version) = claims.permissions(after: change)
            if version > told {
                told = version
                try await send(event(.permissionsChanged(permissions, version: version), claims, id))
            } else if cause == nil {
                try await send(event(.none, claims))
            }
            return true
        }
        var isEndSeen = false
        // What there is already; what comes now is signalled.
        guard try await look(nil) else { return }
        for await signal in events.signals {
            switch signal {
            case .event(let event): guard try await look(event) else { return }
            case .look: guard try await look(nil) else { return }
            case .quiet:
                // What ended the session comes behind this, and says why; the next one looks, should it have got lost.
                if !isEndSeen, isOver(claims) {
                    isEndSeen = true
                } else {
                    guard try await look(nil) else { return }
                }
            case .expired:
                // Renewed, it goes on under its new token.
                let isAlive = try await record(of: claims.session).map { clock.wall() < $0.expiresAt } ?? false
                if !isAlive { try await send(event(.expired, claims)) }
                return
            }
        }
    }

    private func event(_ news: SessionEvent.News, _ claims: Claims, _ id: FenceToken? = nil) -> SessionEvent {
        let partition = claims.session.partition
        let applied = table.withPartition(partition) { $0.feed.applied }
        return SessionEvent(
            news: news, id: id ?? applied.map { FenceToken(partition: partition, position: $0) }, at: clock.wall())
    }

    private func isOver(_ claims: Claims) -> Bool {
        if case .live = standing(claims) { false } else { true }
    }

    private func standing(_ claims: Claims) -> Standing {
        table.withPartition(claims.session.partition) { slot in
            slot.state.standing(
                session: claims.session, user: claims.user, tenant: claims.tenant, stamp: claims.stamp,
                permissionsVersion: claims.permissionsVersion)
        }
    }
}

extension Claims {
    /// As they are now, with the number that validate names them by.
    fileprivate func permissions(after change: PermissionsChange?) -> (Permissions, version: UInt64) {
        change.map { ($0.permissions, $0.stamp.microseconds) } ?? (permissions, permissionsVersion)
    }
}
