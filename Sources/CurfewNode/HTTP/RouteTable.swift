// Which calls each listener has, and how a request finds its own.

struct RouteTable: Sendable {
    let kind: ListenerKind
    let routes: [Route]

    init(_ kind: ListenerKind) {
        self.kind = kind
        routes = RouteTable.health + (kind == .public ? RouteTable.publicCalls : RouteTable.adminCalls)
    }

    enum Match: Sendable {
        case found(Route, parameters: [String])
        /// The path is there, the method isn't.
        case otherMethods(allow: [String])
        case nothing
    }

    /// `HEAD` goes where `GET` goes.
    func match(method: String, path: Substring) throws(Problem) -> Match {
        var allowed: [String] = []
        for route in routes {
            guard let parameters = try route.parameters(in: path) else { continue }
            if route.takesAnyMethod || route.method.rawValue == method || (method == "HEAD" && route.method == .get) {
                return .found(route, parameters: parameters)
            }
            allowed += route.method == .get ? ["GET", "HEAD"] : [route.method.rawValue]
        }
        return allowed.isEmpty ? .nothing : .otherMethods(allow: allowed)
    }

    /// Whether a path is open to callers without a credential, whatever the method.
    func isOpen(_ path: Substring) -> Bool {
        routes.contains { $0.access == .open && $0.path.utf8.elementsEqual(path.utf8) }
    }

    /// The path with the larger body limit.
    var batchPath: String? { routes.first(where: \.isBatch)?.path }
}

extension RouteTable {
    fileprivate static let health = [
        Route(
            call: .healthLive, method: .get, path: "/health/live", access: .open,
            summary: "Whether the process answers.", answers: [(200, "Health")]),
        Route(
            call: .healthReady, method: .get, path: "/health/ready", access: .open,
            summary: "Whether every partition is fresh; 503 says which is not.", answers: [(200, "Health")],
            problems: [.revocationStateStale]),
    ]

    fileprivate static let publicCalls =
        [Route.Method.get, .post].map { method in
            Route(
                call: .validate, method: method, path: "/v1/validate", access: .session,
                summary: "Who the caller is: the token is a bearer token, else the session cookie.",
                headers: validateHeaders + [fingerprintHeader], answers: [(200, "Active")], problems: validateProblems)
        } + forwardAuth + [
            Route(
                call: .refresh, method: .post, path: "/v1/refresh", access: .session,
                summary: "A new token for a session that goes on: by its refresh token (kind api), else by its token.",
                body: .optional(schema: "RefreshRequest"),
                headers: [crossSiteHeader, idempotencyHeader, fingerprintHeader],
                answers: [(200, "IssuedSession")],
                problems: [
                    .valueOutOfRange, .tokenMissing, .tokenMalformed, .tokenSignatureInvalid, .tokenExpired,
                    .sessionRevoked, .sessionExpired, .sessionSuperseded, .sessionNotFound, .refreshTokenReused,
                    .rateLimited,
                    .crossSiteTokenFailed, .deviceMismatch, .conflict, .revocationStateStale, .redisUnavailable,
                    .overloaded,
                ]),
            Route(
                call: .crossSiteToken, method: .get, path: "/v1/csrf", access: .session,
                summary: "What calls that change something by the cookie must send back as X-CSRF-Token.",
                body: .absent,
                answers: [(200, "CrossSiteToken")], problems: validateProblems),
            Route(
                call: .events, method: .get, path: "/v1/events", access: .session,
                summary: "Server-sent events of the caller's session: its end, and changes of its permissions.",
                body: .absent,
                headers: [
                    .init(name: "Last-Event-ID", summary: "The last id that was seen: nothing since then is missed.")
                ], answers: [(200, nil)], problems: validateProblems),
            Route(
                call: .logout, method: .post, path: "/v1/logout", access: .session,
                summary: "Ends the caller's session, its others, its device's or all of them, like revoke.",
                body: .optional(schema: "LogoutRequest"), headers: [crossSiteHeader],
                answers: [(200, "Change"), (202, "Change")], problems: validateProblems + [.crossSiteTokenFailed]),
            Route(
                call: .ownSessions, method: .get, path: "/v1/sessions", access: .session,
                summary: "Where the caller is signed in, newest activity first.", query: pageParameters,
                answers: [(200, "OwnSessionPage")], problems: validateProblems),
            Route(
                call: .endOwnSession, method: .delete, path: "/v1/sessions/{id}", access: .session,
                summary: "Ends one of the caller's own sessions, like revoke.", body: .absent,
                query: changeParameters(reason: "logout"), headers: [crossSiteHeader],
                answers: [(200, "Change"), (202, "Change")],
                problems: validateProblems + [.notFound, .crossSiteTokenFailed]),
            describing(access: .open),
        ] + discovery

    private static let discovery = [
        Route(
            call: .keySet, method: .get, path: "/.well-known/jwks.json", access: .open,
            summary: "The public keys of EdDSA and ES256 (RFC 7517), those that will sign later among them.",
            answers: [(200, "KeySet")]),
        Route(
            call: .metadata, method: .get, path: "/.well-known/oauth-authorization-server", access: .open,
            summary: "What of OAuth there is (RFC 8414): introspection, revocation, the keys.",
            answers: [(200, "Metadata")]),
    ]

    fileprivate static let adminCalls =
        discovery + [
            describing(access: .role(.read)),
            Route(
                call: .issue, method: .post, path: "/v1/issue", access: .role(.issue),
                summary: "A new session and its token.", body: .json(schema: "IssueRequest"),
                headers: [idempotencyHeader],
                answers: [(201, "IssuedSession")],
                problems: [.conflict, .sessionLimitReached, .rateLimited, .redisUnavailable, .overloaded]),
            Route(
                call: .reportFailure, method: .post, path: "/v1/authentication-failures", access: .role(.issue),
                summary: "Counts a failed login of a user, from an address, or both; past a limit issue is refused.",
                body: .json(schema: "AuthenticationFailure"), answers: [(200, "AuthenticationFailures")],
                problems: [.redisUnavailable, .overloaded]),
            Route(
                call: .makeState, method: .post, path: "/v1/states", access: .role(.issue),
                summary: "A single-use value for a login that leaves the application and comes back.",
                body: .optional(schema: "StateRequest"), answers: [(201, "State")],
                problems: [.redisUnavailable, .overloaded]),
            Route(
                call: .consumeState, method: .post, path: "/v1/states/consume", access: .role(.issue),
                summary: "The data of such a value, exactly once, on any node.",
                body: .json(schema: "ConsumeRequest"), answers: [(200, "StateData")],
                problems: [.notFound, .redisUnavailable, .overloaded]),
            Route(
                call: .validateToken, method: .post, path: "/v1/validate", access: .role(.read),
                summary: "Whether a token is good, as 200 either way.", body: .json(schema: "TokenRequest"),
                headers: validateHeaders + [fingerprintHeader], answers: [(200, "Verdict")],
                problems: [.revocationStateStale, .redisUnavailable, .overloaded]),
            Route(
                call: .validateBatch, method: .post, path: "/v1/validate/batch", access: .role(.read),
                summary: "The same for up to 1,000 tokens, in order; 503 as a whole.",
                body: .json(schema: "TokensRequest"), headers: validateHeaders, answers: [(200, "Verdicts")],
                problems: [.revocationStateStale, .redisUnavailable, .overloaded], isBatch: true),
            Route(
                call: .revoke, method: .post, path: "/v1/revoke", access: .role(.revoke),
                summary: "Ends sessions: exactly one target. Tenants and everyone need the role admin.",
                body: .json(schema: "RevokeRequest"), headers: [idempotencyHeader],
                answers: [(200, "Change"), (202, "Change")],
                problems: [.conflict, .tokenMalformed, .tokenSignatureInvalid, .redisUnavailable, .overloaded]),
        ] + tokenCalls + sessionCalls

    /// For those who speak OAuth: resource servers, gateways, clients.
    private static let tokenCalls = [
        Route(
            call: .introspect, method: .post, path: Route.oauthStem + "introspect", access: .role(.read),
            summary: "What a token says, or that it is not active (RFC 7662).", body: .form(schema: "TokenForm"),
            headers: validateHeaders, answers: [(200, "Introspection")],
            problems: [.revocationStateStale, .redisUnavailable, .overloaded]),
        Route(
            call: .revokeToken, method: .post, path: Route.oauthStem + "revoke", access: .role(.revoke),
            summary: "Ends the session of a token, on every node before it answers (RFC 7009).",
            body: .form(schema: "TokenForm"), answers: [(200, nil)],
            problems: [.revocationStateStale, .redisUnavailable, .overloaded]),
    ]

    private static let sessionCalls = [
        Route(
            call: .readSession, method: .get, path: "/v1/sessions/{id}", access: .role(.read),
            summary: "One session in full.", answers: [(200, "Session")], problems: [.notFound, .redisUnavailable]),
        Route(
            call: .patchSession, method: .patch, path: "/v1/sessions/{id}", access: .role(.issue),
            summary: "Changes a session's device and attributes: a JSON merge patch.",
            body: .json(schema: "SessionPatch"),
            headers: [.init(name: "If-Match", summary: "The ETag that was read; 412 where it is another by now.")],
            answers: [(200, "Session")],
            problems: [.notFound, .preconditionFailed, .redisUnavailable, .overloaded]),
        Route(
            call: .rotateSession, method: .post, path: "/v1/sessions/{id}/rotate", access: .role(.issue),
            summary: "A new id and token for the same login; the old ones are good for a short grace only.",
            body: .optional(schema: "RotateRequest"), headers: [idempotencyHeader],
            answers: [(200, "IssuedSession")],
            problems: [
                .valueOutOfRange, .notFound, .conflict, .revocationStateStale, .redisUnavailable, .overloaded,
            ]),
        Route(
            call: .endSession, method: .delete, path: "/v1/sessions/{id}", access: .role(.revoke),
            summary: "Ends one session, like revoke.", body: .absent, query: changeParameters,
            answers: [(200, "Change"), (202, "Change")], problems: [.notFound, .redisUnavailable, .overloaded]),
        Route(
            call: .listSessions, method: .get, path: "/v1/users/{userId}/sessions", access: .role(.read),
            summary: "A user's sessions, newest activity first.",
            query: pageParameters, answers: [(200, "SessionPage")], problems: [.redisUnavailable, .overloaded]),
        Route(
            call: .endSessions, method: .delete, path: "/v1/users/{userId}/sessions", access: .role(.revoke),
            summary: "Ends a user's sessions, all or all but one, like revoke.", body: .absent,
            query: [.init(name: "except", summary: "The session that stays.")] + changeParameters,
            answers: [(200, "Change"), (202, "Change")], problems: [.redisUnavailable, .overloaded]),
        Route(
            call: .setPermissions, method: .put, path: "/v1/users/{userId}/permissions", access: .role(.revoke),
            summary: "A user's permissions from now on, on every device and node.",
            body: .json(schema: "PermissionsRequest"), answers: [(200, "Change"), (202, "Change")],
            problems: [.redisUnavailable, .overloaded]),
        Route(
            call: .cluster, method: .get, path: "/v1/cluster", access: .role(.read),
            summary: "Nodes, partitions, lag and freshness, Redis.", answers: [(200, "Cluster")]),
        Route(
            call: .audit, method: .get, path: "/v1/audit", access: .role(.read),
            summary: "Server-sent events of the cluster's audit log, from now on or from a moment on.", body: .absent,
            query: [
                .init(name: "since", summary: "From then on.", schema: #"{"type":"string","format":"date-time"}"#),
                .init(name: "userId", summary: "Only entries with this user."),
                .init(name: "sessionId", summary: "Only entries with this session."),
                .init(name: "event", summary: "Only entries of this event."),
            ],
            headers: [.init(name: "Last-Event-ID", summary: "The last id that was seen; goes before since.")],
            answers: [(200, nil)], problems: [.redisUnavailable, .overloaded]),
        Route(
            call: .metrics, method: .get, path: "/metrics", access: .role(.read),
            summary: "The node's metrics, in the text format of Prometheus.", answers: [(200, nil)]),
    ]

    private static let forwardAuth: [Route] = [
        Route(
            call: .forwardAuth, method: .get, path: "/v1/forward-auth", access: .session,
            summary: "Validate for proxies, by any method: X-Curfew-User, -Session, -Device and -Permissions, no body.",
            query: [
                .init(
                    name: "require", summary: "A permission that must be held; of several, each.", isRepeatable: true),
                .init(
                    name: "csrf", summary: "Unsafe methods with the cookie need X-CSRF-Token.", schema: boolean),
                .init(
                    name: "renew", summary: "Past the renewal point the answer carries the renewed cookie.",
                    schema: boolean),
            ], headers: forwardAuthHeaders, answers: [(200, nil)], problems: forwardAuthProblems,
            takesAnyMethod: true),
        Route(
            call: .forwardAuth, method: .get, path: "/v1/forward-auth/{path}", access: .session,
            summary: "The same where a proxy appends the visitor's path and query, which say nothing here.",
            headers: forwardAuthHeaders, answers: [(200, nil)], problems: forwardAuthProblems,
            takesAnyMethod: true, isVisitorsPath: true),
    ]

    private static let boolean = #"{"type":"string","enum":["true","false"],"default":"false"}"#

    private static let forwardAuthHeaders: [Route.Parameter] =
        validateHeaders + [
            .init(name: "Curfew-Require", summary: "Permissions that must be held, separated by commas."),
            .init(
                name: "Curfew-Csrf", summary: "Unsafe methods with the cookie need X-CSRF-Token.", schema: boolean),
            .init(
                name: "X-Forwarded-Method",
                summary: "The visitor's method, from a trusted proxy; so is X-Original-Method."),
            crossSiteHeader, fingerprintHeader,
        ]

    private static let forwardAuthProblems =
        validateProblems + [.permissionMissing, .crossSiteTokenFailed, .rateLimited]

    private static func describing(access: Route.Access) -> Route {
        Route(
            call: .description, method: .get, path: "/openapi.json", access: access,
            summary: "This description.", answers: [(200, "Description")])
    }

    private static let pageParameters: [Route.Parameter] = [
        .init(
            name: "limit", summary: "At most so many.",
            schema: #"{"type":"integer","minimum":1,"maximum":200,"default":50}"#),
        .init(name: "cursor", summary: "Where the page before this one ended."),
    ]

    private static let crossSiteHeader = Route.Parameter(
        name: "X-CSRF-Token", summary: "The csrfToken; needed where the session cookie is the credential.")

    private static let fingerprintHeader = Route.Parameter(
        name: "Curfew-Fingerprint",
        summary: "What the device says of itself: another one than the session was issued with is 403.",
        schema: #"{"type":"string","maxLength":256}"#)

    private static let validateHeaders: [Route.Parameter] = [
        .init(name: "Curfew-At-Least", summary: "Fences, separated by commas: answer only from a state that has them."),
        .init(
            name: "Curfew-Consistency", summary: "Read Redis; the session's record must be there.",
            schema: #"{"type":"string","enum":["strict"]}"#),
        .init(
            name: "Curfew-Activity", summary: "Doesn't count as activity.",
            schema: #"{"type":"string","enum":["none"]}"#),
    ]

    private static let idempotencyHeader = Route.Parameter(
        name: "Idempotency-Key",
        summary:
            "The same key gives the same answer for ten minutes; with another body, or while the first call is under way, 409.",
        schema: #"{"type":"string","minLength":1,"maxLength":255}"#)

    private static let validateProblems: [ProblemCode] = [
        .tokenMissing, .tokenMalformed, .tokenSignatureInvalid, .tokenExpired, .sessionRevoked, .sessionExpired,
        .sessionSuperseded, .sessionNotFound, .deviceMismatch, .revocationStateStale, .redisUnavailable, .overloaded,
    ]

    private static let changeParameters = changeParameters(reason: "admin")

    /// Query parameters where there is no body, else members of it.
    static func changeParameters(reason: String) -> [Route.Parameter] {
        [
            .init(
                name: "wait", summary: "Until every node enforces it.",
                schema: #"{"type":"string","enum":["none","cluster"],"default":"none"}"#),
            .init(
                name: "timeoutMs", summary: "How long to wait at most.",
                schema: #"{"type":"integer","minimum":1,"maximum":60000}"#),
            .init(
                name: "durability", summary: "Until a replica has it.",
                schema: #"{"type":"string","enum":["primary","replica"],"default":"primary"}"#),
            .init(
                name: "reason", summary: "At most 64 bytes.",
                schema: #"{"type":"string","maxLength":64,"default":"\#(reason)"}"#
            ),
        ]
    }
}
