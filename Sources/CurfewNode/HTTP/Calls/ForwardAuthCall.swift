// Validate for proxies: what they ask before they let a visitor through, and the fields that they pass on. What a visitor wrote
// can only ever ask for more.

import CurfewCore
import HTTPTypes

extension Calls {
    func forwardAuth(_ request: CallRequest) async throws(Problem) -> Answer {
        let demands = try request.forwardAuthDemands()
        let options = try request.deviceOptions()
        guard let found = presented(in: request) else { throw lackingToken() }
        let needsCrossSiteToken = demands.crossSiteToken && !isSafe(request)
        var session: ActiveSession
        var cookie: String?
        do throws(Problem) {
            session = try await active(found.token, options)
            if needsCrossSiteToken { try requireCrossSiteToken(request, found) }
        } catch {
            guard error.code == .tokenExpired, demands.renews, found.isCookie else { throw error }
            if needsCrossSiteToken { try requireCrossSiteToken(request, found) }
            // A browser that was closed for days: its session may have lived on.
            let renewed = try await renewedToken(found.token, options.fingerprint)
            cookie = cookies.session(renewed)
            session = try await active(Array(renewed.token.utf8), options)
        }
        if cookie == nil, demands.renews, found.isCookie, session.shouldRefresh, session.kind != .api {
            cookie = try await renewedCookie(found.token, options.fingerprint)
            // That took its time: what it is answered from must be as fresh as ever.
            session = try await active(found.token, options)
        }
        for name in demands.permissions where !session.permissions.names.contains(name) {
            throw Problem(.permissionMissing, "the session lacks a permission that this path needs")
        }
        var answer = Answer(session)
        if let cookie { answer.fields.append(("Set-Cookie", cookie)) }
        return answer
    }

    /// `nil` where it can't be had right now, or where Redis has nothing to renew: the token is good without it.
    private func renewedCookie(
        _ token: [UInt8], _ fingerprint: PresentedFingerprint
    ) async throws(Problem) -> String? {
        do throws(ServiceError) {
            return cookies.session(try await service.renewed(by: token, from: fingerprint))
        } catch {
            if case .tokenRefused(.sessionRevoked) = error { throw Problem.inactive(.sessionRevoked) }
            return nil
        }
    }

    /// Of a token that has run out. Where there is nothing to renew, it is refused for what the session says.
    private func renewedToken(
        _ token: [UInt8], _ fingerprint: PresentedFingerprint
    ) async throws(Problem) -> IssuedSession {
        do throws(ServiceError) {
            return try await service.renewed(by: token, from: fingerprint)
        } catch {
            if case .tokenRefused(let reason) = error { throw Problem.inactive(reason) }
            if case .malformed = error { throw Problem.inactive(.tokenExpired) }
            throw Problem(error)
        }
    }

    /// Whether the visitor's method changes nothing (RFC 9110 section 9.2.1), by the word of a proxy that is trusted.
    private func isSafe(_ request: CallRequest) -> Bool {
        guard trustedProxies.contains(request.peer) else { return false }
        let methods = request.values("x-forwarded-method") + request.values("x-original-method")
        guard let method = methods.first, methods.allSatisfy({ $0 == method }) else { return false }
        return ["GET", "HEAD", "OPTIONS", "TRACE"].contains(method)
    }
}

/// What a proxy insists on.
private struct ForwardAuthDemands {
    var permissions: [String] = []
    var crossSiteToken = false
    var renews = false
}

extension CallRequest {
    fileprivate func forwardAuthDemands() throws(Problem) -> ForwardAuthDemands {
        var demands = ForwardAuthDemands()
        let byHeader = try flag("Curfew-Csrf", field("curfew-csrf"))
        let byQuery = try flag("csrf", query["csrf"])
        demands.crossSiteToken = byQuery || byHeader
        demands.renews = try flag("renew", query["renew"])
        for list in values("curfew-require") + (query["require"].map { [$0] } ?? []) {
            for name in list.split(separator: ",", omittingEmptySubsequences: false) {
                let name = name.trimmingBlanks
                guard Permissions.isName(name) else {
                    throw .outOfRange("require: expected the names of permissions, separated by commas")
                }
                demands.permissions.append(String(name))
            }
        }
        return demands
    }

    private func flag(_ name: String, _ text: String?) throws(Problem) -> Bool {
        switch text {
        case nil, "false": false
        case "true": true
        default: throw .outOfRange("\(name): expected true or false")
        }
    }
}

extension Answer {
    /// All fields always, empty where there is nothing to say: a proxy that copies what is there must overwrite what a
    /// visitor sent under these names.
    fileprivate init(_ session: ActiveSession) {
        self.init(status: 200, body: [])
        fields = [
            ("X-Curfew-User", PercentCoding.encode(session.user.text)),
            ("X-Curfew-Session", session.session.description),
            ("X-Curfew-Device", session.device.map { PercentCoding.encode($0.text) } ?? ""),
            ("X-Curfew-Permissions", session.permissions.names.joined(separator: ",")),
            ("X-Curfew-Stale", session.isStale ? "true" : "false"),
        ]
    }
}
