// Every refusal and failure that a caller can get, in one table: stable code, status, title, what to do about it. The
// documentation, the fast path's ready-made answers and the slow path all read this table, and a test walks it.

/// RFC 9457 problem, on its way out.
struct Problem: Error, Equatable, Sendable {
    let code: ProblemCode
    /// What was wrong with this request. Never a token, a secret or another user's data.
    let detail: String
    /// `Allow`, for `method_not_allowed`.
    var allow: String?
    /// `Retry-After` and the RateLimit fields, for `rate_limited`.
    var excess: RateLimitExcess?
    /// `Set-Cookie`: of a logout that finds nothing to end.
    var cookies: [String] = []
    /// Validate's answer says `"active":false` too.
    var isInactive = false
    /// No credential was there at all: `WWW-Authenticate` without `error`.
    var lacksCredential = false
    /// Answered in OAuth's words, too: `error`, `error_description`, and a challenge for HTTP Basic.
    var speaksOAuth = false

    init(_ code: ProblemCode, _ detail: String? = nil) {
        self.code = code
        self.detail = detail ?? code.hint
    }

    init(_ refusal: Refusal) { self.init(refusal.code, refusal.detail) }

    init(_ error: ServiceError) {
        switch error {
        case .stale(let detail): self.init(.revocationStateStale, detail)
        case .redisUnavailable(let detail): self.init(.redisUnavailable, detail)
        case .overloaded(let detail): self.init(.overloaded, detail)
        case .notFound(let detail): self.init(.notFound, detail)
        case .preconditionFailed: self.init(ProblemCode.preconditionFailed)
        case .conflict(let detail): self.init(.conflict, detail)
        case .sessionLimitReached: self.init(ProblemCode.sessionLimitReached)
        case .rateLimited(let excess):
            self.init(ProblemCode.rateLimited)
            self.excess = excess
        case .tokenRefused(let reason): self.init(ProblemCode(reason))
        case .outOfRange(let detail): self.init(.valueOutOfRange, detail)
        case .malformed(let detail): self.init(.malformedRequest, detail)
        }
    }

    /// Validate's 401.
    static func inactive(_ reason: RefusalReason) -> Problem {
        var problem = Problem(ProblemCode(reason))
        problem.isInactive = true
        problem.lacksCredential = reason == .tokenMissing
        return problem
    }

    static func malformed(_ detail: String) -> Problem { Problem(.malformedRequest, detail) }
    static func outOfRange(_ detail: String) -> Problem { Problem(.valueOutOfRange, detail) }
    static func unknownField(_ detail: String) -> Problem { Problem(.unknownField, detail) }
}

/// The stable codes, 2xx aside.
enum ProblemCode: String, CaseIterable, Sendable {
    case malformedRequest = "malformed_request"
    case unknownField = "unknown_field"
    case valueOutOfRange = "value_out_of_range"
    case tokenMissing = "token_missing"
    case tokenMalformed = "token_malformed"
    case tokenSignatureInvalid = "token_signature_invalid"
    case tokenExpired = "token_expired"
    case sessionRevoked = "session_revoked"
    case sessionExpired = "session_expired"
    case sessionSuperseded = "session_superseded"
    case sessionNotFound = "session_not_found"
    case refreshTokenReused = "refresh_token_reused"
    case apiKeyInvalid = "api_key_invalid"
    case crossSiteTokenFailed = "csrf_failed"
    case deviceMismatch = "device_mismatch"
    case permissionMissing = "permission_missing"
    case forbidden
    case notFound = "not_found"
    case methodNotAllowed = "method_not_allowed"
    case conflict
    case sessionLimitReached = "session_limit_reached"
    case preconditionFailed = "precondition_failed"
    case bodyTooLarge = "body_too_large"
    case unsupportedMediaType = "unsupported_media_type"
    case headTooLarge = "head_too_large"
    case rateLimited = "rate_limited"
    case internalError = "internal_error"
    case revocationStateStale = "revocation_state_stale"
    case redisUnavailable = "redis_unavailable"
    case overloaded

    init(_ reason: RefusalReason) {
        switch reason {
        case .tokenMissing: self = .tokenMissing
        case .tokenMalformed: self = .tokenMalformed
        case .tokenSignatureInvalid: self = .tokenSignatureInvalid
        case .tokenExpired: self = .tokenExpired
        case .sessionRevoked: self = .sessionRevoked
        case .sessionExpired: self = .sessionExpired
        case .sessionSuperseded: self = .sessionSuperseded
        case .sessionNotFound: self = .sessionNotFound
        case .refreshTokenReused: self = .refreshTokenReused
        case .deviceMismatch: self = .deviceMismatch
        }
    }

    var status: Int { row.status }
    var title: String { row.title }
    /// The detail where nothing more precise is known; a whole sentence without quotes.
    var hint: String { row.hint }
    /// 401 answers say how to authenticate.
    var isUnauthorized: Bool { status == 401 }
    /// 503 answers say when to come back, in seconds.
    var retryAfterSeconds: Int? { status == 503 ? 1 : nil }

    private var row: (status: Int, title: String, hint: String) {
        switch self {
        case .malformedRequest: (400, "Malformed request", "The request is not what the interface describes.")
        case .unknownField: (400, "Unknown field", "The request holds a field that does not exist here.")
        case .valueOutOfRange: (400, "Value out of range", "A value is outside of what it may be.")
        case .tokenMissing: (401, "No token", "Send the session token as a bearer token or in the session cookie.")
        case .tokenMalformed: (401, "Malformed token", "The token is not one that Curfew issues.")
        case .tokenSignatureInvalid:
            (401, "Invalid signature", "The token is not signed with a key that is known here.")
        case .tokenExpired: (401, "Token expired", "The token is past its end; a new one is needed.")
        case .sessionRevoked: (401, "Session revoked", "The session was ended; a new login is needed.")
        case .sessionExpired:
            (
                401, "Session expired",
                "Nobody used the session for too long, or it is over its age; a new login is needed."
            )
        case .sessionSuperseded:
            (401, "Session superseded", "The session has a newer id and token; this one is not good any more.")
        case .refreshTokenReused:
            (401, "Refresh token reused", "This refresh token was used before, so its session was ended.")
        case .sessionNotFound: (401, "No such session", "The session is not there any more; a new login is needed.")
        case .apiKeyInvalid: (401, "Invalid API key", "Send a valid API key as a bearer token.")
        case .crossSiteTokenFailed:
            (403, "Cross-site token failed", "Send the csrfToken of this session as X-CSRF-Token.")
        case .deviceMismatch:
            (403, "Device mismatch", "The session was issued to a device with another Curfew-Fingerprint.")
        case .permissionMissing: (403, "Permission missing", "The session lacks a permission that this needs.")
        case .forbidden: (403, "Forbidden", "The API key lacks the role that this call needs.")
        case .notFound: (404, "Not found", "There is nothing here.")
        case .methodNotAllowed: (405, "Method not allowed", "The Allow field says which methods this path takes.")
        case .conflict: (409, "Conflict", "What the request asks for contradicts what has happened.")
        case .sessionLimitReached:
            (409, "Session limit reached", "The user has all the sessions that are allowed; one has to end first.")
        case .preconditionFailed:
            (412, "Precondition failed", "Somebody else changed it since it was read; read it again.")
        case .bodyTooLarge: (413, "Body too large", "The body is larger than this call takes.")
        case .unsupportedMediaType: (415, "Unsupported media type", "Send the body as application/json.")
        case .headTooLarge: (431, "Head too large", "The request head is larger than this server takes.")
        case .rateLimited:
            (429, "Rate limited", "Too many calls of this kind; Retry-After says when the next may be made.")
        case .internalError: (500, "Internal error", "This node failed; its log says why.")
        case .revocationStateStale:
            (503, "Revocation state stale", "The freshness of the revocation state can not be proved right now.")
        case .redisUnavailable: (503, "Redis unavailable", "Redis did not answer in time.")
        case .overloaded: (503, "Overloaded", "A bounded resource of this node is in use completely.")
        }
    }
}

/// The reason phrase of each status that is ever sent.
func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 409: "Conflict"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 415: "Unsupported Media Type"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    default: status < 400 ? "OK" : "Internal Server Error"
    }
}
