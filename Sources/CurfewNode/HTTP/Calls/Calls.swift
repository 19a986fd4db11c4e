// From a call to the service's verb and back: one file a group of calls. Nothing here decides anything about sessions.

/// The service, as HTTP calls it.
struct Calls: Sendable {
    let service: SessionService
    let keys: APIKeys
    let listener: ListenerKind
    /// Its connections have TLS.
    let isSecure: Bool
    /// `/openapi.json` of this listener, made once.
    let description: [UInt8]
    let acceptsInsecureCookies: Bool
    /// Who may say what a visitor asked for.
    let trustedProxies: TrustedProxies
    /// Pages of other origins that may act for their browser's user.
    let allowedOrigins: AllowedOrigins

    func answer(_ request: CallRequest) async throws(Problem) -> Answer {
        switch request.route.call {
        case .validate: try await validate(request)
        case .validateToken: try await validateToken(request)
        case .validateBatch: try await validateBatch(request)
        case .forwardAuth: try await forwardAuth(request)
        case .events: try await events(request)
        case .refresh: try await refresh(request)
        case .crossSiteToken: try await crossSiteToken(request)
        case .logout: try await logout(request)
        case .ownSessions: try await ownSessions(request)
        case .endOwnSession: try await endOwnSession(request)
        case .issue: try await issue(request)
        case .reportFailure: try await reportFailure(request)
        case .makeState: try await makeState(request)
        case .consumeState: try await consumeState(request)
        case .revoke: try await revoke(request)
        case .introspect: try await introspect(request)
        case .revokeToken: try await revokeToken(request)
        case .readSession: try await readSession(request)
        case .patchSession: try await patchSession(request)
        case .rotateSession: try await rotateSession(request)
        case .endSession: try await endSession(request)
        case .listSessions: try await listSessions(request)
        case .endSessions: try await endSessions(request)
        case .setPermissions: try await setPermissions(request)
        case .cluster: cluster()
        case .audit: try await audit(request)
        case .metrics: metrics()
        case .healthLive: live()
        case .healthReady: try ready()
        case .description: Answer(body: description)
        case .keySet: keySet()
        case .metadata: try metadata(request)
        }
    }

    /// The calls that everybody may make and that nothing is waited for; `nil` for the others.
    func answerAtOnce(_ call: Call) throws(Problem) -> Answer? {
        switch call {
        case .healthLive: live()
        case .healthReady: try ready()
        case .description: Answer(body: description)
        case .keySet: keySet()
        case .validate, .forwardAuth, .events, .refresh, .crossSiteToken, .logout, .ownSessions, .endOwnSession,
            .issue, .reportFailure, .makeState, .consumeState, .validateToken, .validateBatch, .revoke, .introspect,
            .revokeToken,
            .readSession, .patchSession, .rotateSession, .endSession, .listSessions, .endSessions, .setPermissions,
            .cluster, .audit, .metrics, .metadata:
            nil
        }
    }

    /// Runs a verb; its failures become problems.
    func run<Value>(_ verb: () async throws(ServiceError) -> Value) async throws(Problem) -> Value {
        do throws(ServiceError) { return try await verb() } catch { throw Problem(error) }
    }

    private func live() -> Answer { .json { $0.member("status", "live") } }

    private func ready() throws(Problem) -> Answer {
        let readiness = service.readiness()
        guard readiness.isReady else { throw Problem(.revocationStateStale, readiness.detail) }
        return .json {
            $0.member("status", "ready")
            $0.member("detail", readiness.detail)
        }
    }
}
