// Logout: what a session may end of its own user's. Each scope is a target of revoke.

import CurfewCore

/// What a logout ends.
package enum LogoutScope: String, CaseIterable, Sendable {
    case current
    /// All but this session.
    case others
    /// All of this session's device; where it has none, this session.
    case device
    case all
}

extension SessionService {
    /// Ends the caller's own sessions. Whatever it throws may be repeated.
    package func logout(
        _ session: ActiveSession, _ scope: LogoutScope, options: ChangeOptions
    ) async throws(ServiceError) -> ChangeAnswer {
        switch scope {
        case .current: return try await revoke(.session(session.session), options: options)
        case .others: return try await revoke(.userExcept(session.user, session.session), options: options)
        case .all: return try await revoke(.user(session.user), options: options)
        case .device:
            guard let device = session.device else { return try await logout(session, .current, options: options) }
            // By its id, too: where Redis lost its data the index does not name it. And last, so that it can be repeated until then.
            let others = try await revoke(.device(session.user, device), options: options)
            return others.joined(with: try await revoke(.session(session.session), options: options))
        }
    }

    /// Ends one session of the same user, by whatever id of it; `notFound` for everything else, whether or not there is such a session.
    package func endSession(
        _ id: SessionID, of caller: ActiveSession, options: ChangeOptions
    ) async throws(ServiceError) -> ChangeAnswer {
        if id.family != caller.session.family {
            guard try await login(id).user == caller.user else { throw Self.noSuchSession }
        }
        return try await revoke(.session(id), options: options)
    }
}

extension ChangeAnswer {
    /// Of two changes, one after the other: the sum, and the least that is true of both.
    fileprivate func joined(with other: ChangeAnswer) -> ChangeAnswer {
        var joined = self
        joined.revoked = revoked.flatMap { mine in other.revoked.map { mine + $0 } }
        joined.fence += other.fence
        joined.propagation = propagation.joined(with: other.propagation)
        joined.nodes = max(nodes, other.nodes)
        joined.acknowledged = min(acknowledged, other.acknowledged)
        joined.elapsedMilliseconds += other.elapsedMilliseconds
        joined.replicas = [replicas, other.replicas].compactMap(\.self).min()
        return joined
    }
}
