// OAuth's view of a session (RFC 7662, RFC 7009): resource servers and gateways that speak it work as they are.

import CurfewCore

extension Calls {
    func introspect(_ request: CallRequest) async throws(Problem) -> Answer {
        let options = try request.validateOptions()
        let token = try FormReader(request.body).required("token")
        let introspected = try await run { () async throws(ServiceError) in
            try await service.introspect(token, options: options)
        }
        guard let introspected else { return .json { $0.member("active", false) } }
        let session = introspected.session
        return .json { writer in
            writer.member("active", true)
            writer.member("sub", session.user.text)
            writer.member("sid", session.session.description)
            let scope = session.permissions.names.joined(separator: " ")
            if !scope.isEmpty { writer.member("scope", scope) }
            writer.member("exp", session.expiresAt.seconds)
            writer.member("iat", session.issuedAt.seconds)
            writer.member("iss", service.keyRing.issuer)
            writer.member("aud", service.keyRing.audience)
            if !introspected.isRefreshToken { writer.member("token_type", "Bearer") }
            if session.isStale { writer.member("stale", true) }
        }
    }

    /// A client takes its 200 for the end of the token (RFC 7009 section 2.2), so it waits for every node.
    func revokeToken(_ request: CallRequest) async throws(Problem) -> Answer {
        let token = try FormReader(request.body).required("token")
        let isEnforced = try await run { () async throws(ServiceError) in try await service.revokeToken(token) }
        guard isEnforced else {
            throw Problem(.revocationStateStale, "the token is revoked, but not yet known to be refused by every node")
        }
        var answer = Answer(body: [])
        answer.fields = []
        return answer
    }
}
