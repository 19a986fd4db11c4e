// Refresh, and the token that goes beside the cookie. A call that changes something by the cookie alone could be made by any page
// that the browser shows; so it must bring what only the application's own pages can read.

import CurfewCore
import HTTPTypes

extension Calls {
    func refresh(_ request: CallRequest) async throws(Problem) -> Answer {
        if !request.body.isEmpty {
            var reader = try BodyReader(request.body)
            let refreshToken = try reader.string("refreshToken")
            try reader.finish()
            if let refreshToken {
                return try await refresh(request, .refreshToken(refreshToken), by: refreshToken, isToCookie: false)
            }
        }
        let credential = try credential(of: request)
        try requireCrossSiteToken(request, credential)
        return try await refresh(
            request, .token(credential.token), by: String(decoding: credential.token, as: UTF8.self),
            isToCookie: credential.isCookie)
    }

    private func refresh(
        _ request: CallRequest, _ credential: RefreshCredential, by text: String, isToCookie: Bool
    ) async throws(Problem) -> Answer {
        // Only what a node has signed may have a place in Redis.
        if let reason = service.forgery(of: credential) { throw Problem(ProblemCode(reason)) }
        let fingerprint = try request.fingerprint()
        let caller = "\(isToCookie ? "cookie" : "token") \(text)"
        return try await idempotent(request, caller: caller, keepsRefusals: false) { () throws(Problem) in
            try await run { () async throws(ServiceError) in
                try await service.refuseOtherDevice(.presented(fingerprint), of: credential)
            }
        } _: { attempt throws(Problem) in
            let issued = try await run { () async throws(ServiceError) in
                try await service.refresh(
                    credential, from: .presented(fingerprint), within: attempt?.elapsed ?? .zero)
            }
            return answer(issued, status: 200, isToCookie: isToCookie, setsCookie: isToCookie)
        }
    }

    func crossSiteToken(_ request: CallRequest) async throws(Problem) -> Answer {
        let token = service.crossSiteToken(of: try await renewableCaller(of: request).session)
        var answer = Answer.json { $0.member("csrfToken", token) }
        answer.fields.append(("Set-Cookie", cookies.crossSite(token)))
        return answer
    }

    /// The caller's session, which may have a cookie that has run out: a browser that was closed for days still has it.
    func renewableCaller(of request: CallRequest, isChange: Bool = false) async throws(Problem) -> ActiveSession {
        do throws(Problem) {
            return try await caller(of: request, isChange: isChange).session
        } catch {
            let credential = try credential(of: request)
            guard error.code == .tokenExpired, credential.isCookie else { throw error }
            if isChange { try requireCrossSiteToken(request, credential) }
            let fingerprint = try request.fingerprintIfSaid()
            return try await run { () async throws(ServiceError) in
                try await service.renewable(credential.token, from: fingerprint)
            }
        }
    }

    func credential(of request: CallRequest) throws(Problem) -> Credential.Found {
        guard let found = presented(in: request) else {
            var problem = Problem(.tokenMissing)
            problem.lacksCredential = true
            throw problem
        }
        return found
    }

    /// The credential that counts, whatever it is worth; `nil` where there is none.
    func presented(in request: CallRequest) -> Credential.Found? {
        Credential.find(
            authorization: request.fields[.authorization], cookies: request.fields[values: .cookie],
            acceptsInsecureName: acceptsInsecureCookies)
    }

    /// Of a call that changes something. A token that is no good is refused as such by the call itself.
    func requireCrossSiteToken(_ request: CallRequest, _ credential: Credential.Found) throws(Problem) {
        guard credential.isCookie, let claims = try? service.keyRing.decode(credential.token) else { return }
        guard !isFromElsewhere(request) else {
            throw Problem(
                .crossSiteTokenFailed, "A page of another origin made this call; cors-origins does not allow it.")
        }
        guard let text = request.field("x-csrf-token"),
            service.keyRing.isCrossSiteToken(text, of: claims.session)
        else { throw Problem(.crossSiteTokenFailed) }
    }

    /// A session just issued, renewed or rotated. `isToCookie`: the token travels as a cookie only.
    func answer(_ issued: IssuedSession, status: Int, isToCookie: Bool = false, setsCookie: Bool = true) -> Answer {
        let hasCookie = issued.kind != .api
        var answer = Answer.json(status: status) {
            $0.member("sessionId", issued.session.description)
            $0.member("userId", issued.user.text)
            $0.member("deviceId", issued.device?.text)
            $0.member("kind", issued.kind.rawValue)
            $0.member("token", isToCookie ? nil : issued.token)
            $0.member("refreshToken", issued.refreshToken)
            $0.member("csrfToken", hasCookie ? service.crossSiteToken(of: issued.session) : nil)
            $0.member("issuedAt", issued.issuedAt.rfc3339)
            $0.member("expiresAt", issued.expiresAt.rfc3339)
            $0.member("sessionExpiresAt", issued.sessionExpiresAt.rfc3339)
        }
        if hasCookie, setsCookie { answer.fields.append(("Set-Cookie", cookies.session(issued))) }
        return answer
    }

    var cookies: Cookies { Cookies(isInsecure: acceptsInsecureCookies) }
}
