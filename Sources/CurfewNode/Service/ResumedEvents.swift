// A stream that goes on after a lost connection: its browser names the last event that it has seen. What came since is told from the
// state; the log only adds by which event the session ended, and why.

import CurfewCore
import CurfewRedis

/// What becomes of a stream whose token is refused.
enum Resumption {
    case over(SessionEvent.News)
    /// Only the token has run out. The session can be renewed by it, so it may listen, at most until then.
    case listens(until: WallTime)
}

extension SessionService {
    /// Throws `tokenRefused` where nothing is known of the session but that this token is no good.
    func resumption(
        of claims: Claims, refusedFor reason: RefusalReason, from fingerprint: PresentedFingerprint
    ) async throws(ServiceError) -> Resumption {
        var reason = reason
        if reason == .tokenExpired {
            do throws(ServiceError) {
                let view = try await stored(claims)
                try await refuseOtherDevice(fingerprint, view)
                guard !view.isOver(at: clock.wall()) else { return .over(.expired) }
                // A session of kind api is renewed by its refresh token only.
                guard view.kind != .api else { throw .tokenRefused(.tokenExpired) }
                return .listens(until: view.expiresAt)
            } catch {
                guard case .tokenRefused(let stored) = error else { throw error }
                reason = stored
            }
        }
        return switch reason {
        case .sessionRevoked: .over(.revoked(reason: nil))
        // Without a record it has ended, and neither memory nor the record says how.
        case .sessionExpired, .sessionNotFound: .over(.expired)
        case .sessionSuperseded: .over(.superseded)
        default: throw .tokenRefused(reason)
        }
    }

    /// Whether the log still has this event. What came since is told from the state.
    func isLogged(_ lastID: String, _ claims: Claims) async -> Bool {
        guard let token = FenceToken(lastID) else { return false }
        return await logged(from: token, count: 1, claims) != nil
    }

    /// The event behind `lastID` that ended this session, as far as a few pages of the log reach.
    func loggedEnd(of claims: Claims, since lastID: String) async -> Event? {
        guard var from = FenceToken(lastID) else { return nil }
        for _ in 0..<Self.soughtPages {
            guard let events = await logged(from: from, count: Self.soughtPerPage, claims) else { return nil }
            if let end = events.first(where: { $0.end(of: claims) != nil }) { return end }
            guard events.count == Self.soughtPerPage, let last = events.last else { return nil }
            from = FenceToken(partition: from.partition, position: last.position)
        }
        return nil
    }

    /// A page of the session's log that begins with this event; `nil` where the log has it no more, or Redis can't be asked.
    private func logged(from token: FenceToken, count: Int, _ claims: Claims) async -> [Event]? {
        let partition = claims.session.partition
        guard token.partition == partition else { return nil }
        let events = try? await read(from: partition) { client throws(RedisError) in
            let command = LogPage.command(from: token.position, count: count, of: partition, keys)
            return try LogPage.events(in: try await client.send(command))
        }
        return events?.first?.position == token.position ? events : nil
    }

    private static let soughtPages = 8
    private static let soughtPerPage = 500
}

extension Event {
    /// What a stream of this session is told where this event is what ended it.
    func end(of claims: Claims) -> SessionEvent.News? {
        switch change {
        case .sessions(let sessions) where sessions.contains { $0.family == claims.session.family }:
            .revoked(reason: reason)
        case .expired(let sessions) where sessions.contains { $0.family == claims.session.family }: .expired
        case .user(claims.user, let cutoff) where claims.stamp < cutoff: .revoked(reason: reason)
        case .everyone(let cutoff) where claims.stamp < cutoff: .revoked(reason: reason)
        case .tenant(let tenant, let cutoff) where tenant == claims.tenant && claims.stamp < cutoff:
            .revoked(reason: reason)
        case .sessions, .expired, .superseded, .user, .tenant, .everyone, .permissions, .nothing: nil
        }
    }
}
