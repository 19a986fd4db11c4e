// What a session may see and end of its own user's: the caller is whoever the token names, never a parameter.

import CurfewCore
import HTTPTypes

extension Calls {
    func logout(_ request: CallRequest) async throws(Problem) -> Answer {
        var scope = LogoutScope.current
        var options = ChangeOptions()
        options.reason = "logout"
        if !request.body.isEmpty {
            var reader = try BodyReader(request.body)
            if let word = try reader.word("scope", LogoutScope.self) { scope = word }
            options = try reader.changeOptions(options)
            try reader.finish()
        }
        let session = try await callerToLogOut(request)
        let change = try await run { () async throws(ServiceError) in
            try await service.logout(session, scope, options: options)
        }
        var answer = Answer(change)
        if scope != .others { answer.clearCookies(cookies) }
        if scope == .current || scope == .all || scope == .device && session.device == nil {
            answer.fields.append(("Clear-Site-Data", #""cookies", "storage""#))
        }
        return answer
    }

    /// A cookie of a session that is over goes all the same: a logout whose answer was lost is made again by it.
    private func callerToLogOut(_ request: CallRequest) async throws(Problem) -> ActiveSession {
        do throws(Problem) {
            return try await renewableCaller(of: request, isChange: true)
        } catch {
            var problem = error
            if [.sessionRevoked, .sessionExpired, .sessionNotFound].contains(error.code),
                try credential(of: request).isCookie
            {
                problem.cookies = cookies.cleared
            }
            throw problem
        }
    }

    func ownSessions(_ request: CallRequest) async throws(Problem) -> Answer {
        let caller = try await caller(of: request, isChange: false).session
        return try await inventory(of: caller.user, request, current: caller.session)
    }

    func endOwnSession(_ request: CallRequest) async throws(Problem) -> Answer {
        var options = ChangeOptions()
        options.reason = "logout"
        options = try ChangeOptions(query: request.query, defaults: options)
        let caller = try await caller(of: request, isChange: true).session
        guard let session = SessionID(request.parameters[0]) else { throw Problem(.notFound) }
        let change = try await run { () async throws(ServiceError) in
            try await service.endSession(session, of: caller, options: options)
        }
        var answer = Answer(change)
        if session.family == caller.session.family { answer.clearCookies(cookies) }
        return answer
    }

    /// Whose session this is, which must be active; of a call that changes something by the cookie also that one of the
    /// application's own pages made it.
    func caller(
        of request: CallRequest, isChange: Bool
    ) async throws(Problem) -> (session: ActiveSession, credential: Credential.Found) {
        let credential = try credential(of: request)
        var options = ValidateOptions()
        options.fingerprint = try request.fingerprintIfSaid()
        let result = try await run { [options] () async throws(ServiceError) in
            try await service.validate(token: credential.token, options: options)
        }
        switch result {
        case .refused(let reason): throw Problem(ProblemCode(reason))
        case .active(let session):
            if isChange { try requireCrossSiteToken(request, credential) }
            return (session, credential)
        }
    }
}

extension Answer {
    fileprivate mutating func clearCookies(_ cookies: Cookies) {
        for cookie in cookies.cleared { fields.append(("Set-Cookie", cookie)) }
    }
}
