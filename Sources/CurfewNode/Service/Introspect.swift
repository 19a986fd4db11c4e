// A token as OAuth sees it: an access token or a refresh token, whichever it is.

import CurfewCore

/// A token that is active (RFC 7662 section 2.2).
package struct IntrospectedToken: Sendable {
    package var session: ActiveSession
    /// Then `issuedAt` and `expiresAt` are the session's.
    package var isRefreshToken: Bool
}

extension SessionService {
    /// What a token says; `nil` for one that is not active, whyever. Fails like validate where nothing can be said.
    package func introspect(
        _ token: String, options: ValidateOptions
    ) async throws(ServiceError) -> IntrospectedToken? {
        guard let refreshToken = try? keyRing.decodeRefreshToken(token) else {
            let result = try await validate(token: Array(token.utf8), options: options)
            guard case .active(let session) = result else { return nil }
            return IntrospectedToken(session: session, isRefreshToken: false)
        }
        let view: SessionView
        do {
            view = try await stored(refreshToken.session)
        } catch {
            guard case .tokenRefused = error else { throw error }
            return nil
        }
        // One that was used is not active, though it gives the same pair again for a moment. One that is ahead of the record was made by
        // a Redis whose last writes are lost.
        guard let current = view.refreshGeneration, refreshToken.generation >= current, !view.isOver(at: clock.wall())
        else { return nil }
        // It is as good as a token of its session would be now.
        let claims = claims(of: view, issuedAt: view.createdAt, expiresAt: view.expiresAt)
        var strict = options
        (strict.isStrict, strict.countsAsActivity) = (true, false)
        let result = try await validate(token: Array(try sign(claims).utf8), options: strict)
        guard case .active(let session) = result else { return nil }
        return IntrospectedToken(session: session, isRefreshToken: true)
    }

    /// Ends the session of a token, of either kind; one that no node has signed is no matter (RFC 7009 section 2.2).
    /// Returns whether every node is known to enforce it.
    package func revokeToken(_ token: String) async throws(ServiceError) -> Bool {
        var options = ChangeOptions()
        (options.waitsForCluster, options.reason) = (true, "token_revoked")
        let target: RevokeTarget
        if let refreshToken = try? keyRing.decodeRefreshToken(token) {
            target = .session(refreshToken.session)
        } else if (try? keyRing.decode(Array(token.utf8))) != nil {
            target = .token(token)
        } else {
            return true
        }
        return !(try await revoke(target, options: options).isPending)
    }
}
