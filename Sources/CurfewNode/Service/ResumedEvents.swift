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

/// What the log has since the last event that was seen.
struct MissedEvents {
    /// Whether the log still has that event itself.
    var isComplete = false
    /// The event that ended the session.
    var end: Event?
}

extension SessionService {
    /// Throws `tokenRefused` where nothing is known of the session but that this token is no good.
    func resumption(of claims: Claims, refusedFor reason: RefusalReason) async throws(ServiceError) -> Resumption {
        var reason = reason
        if reason == .tokenExpired {
            do throws(ServiceError) {
                let view = try await stored(claims.session)
                guard view.user == claims.user, !view.isOver(at: clock.wall()) else { return .over(.expired) }
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

    /// Reads the log from `lastID` on: its first entry, and where the session's end is sought as much as a few pages hold. Where Redis can't be
    /// asked, nobody knows.
    func missed(since lastID: String, _ claims: Claims, seeksEnd: Bool) async -> MissedEvents {
        var missed = MissedEvents()
        let partition = claims.session.partition
        guard let token = FenceToken(lastID), token.partition == partition else { return missed }
        var from = token.position
        for page in 0..<(seeksEnd ? Self.soughtPages : 1) {
            let count = seeksEnd ? Self.soughtPerPage : 1
            let events = try? await read(from: partition) { [from] client throws(RedisError) in
                try LogPage.events(
                    in: try await client.send(LogPage.command(from: from, count: count, of: partition, keys)))
            }
            guard let events, events.first?.position == from else { return missed }
            if page == 0 { missed.isComplete = true }
            missed.end = events.first { $0.end(of: claims) != nil }
            guard missed.end == nil, events.count == count, let last = events.last else { return missed }
            from = last.position
        }
        return missed
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
