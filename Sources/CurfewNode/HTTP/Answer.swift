// An answer as a value, and the form that problems take in it (RFC 9457, RFC 6750 for 401, `Retry-After` for 503).

/// What a call answers. Security fields and Content-Length are added where it is written.
struct Answer: Sendable {
    var status: Int
    var fields: [(name: String, value: String)]
    var body: [UInt8]
    /// Instead of the body: writes until the answer is over. It has no length.
    var stream: (@Sendable (_ write: ([UInt8]) async throws -> Void) async throws -> Void)?

    init(status: Int = 200, contentType: String = "application/json", body: [UInt8]) {
        self.status = status
        fields = [("Content-Type", contentType)]
        self.body = body
    }

    /// An object of JSON.
    static func json(status: Int = 200, _ body: (inout JSONWriter) -> Void) -> Answer {
        var writer = JSONWriter()
        writer.object(body)
        return Answer(status: status, body: writer.bytes)
    }

    /// Server-sent events (WHATWG HTML section 9.2), as `stream` writes them.
    static func events(
        _ stream: @escaping @Sendable (_ write: ([UInt8]) async throws -> Void) async throws -> Void
    ) -> Answer {
        var answer = Answer(contentType: "text/event-stream", body: [])
        // nginx holds answers back otherwise.
        answer.fields.append(("X-Accel-Buffering", "no"))
        answer.stream = stream
        return answer
    }

    init(_ problem: Problem) {
        var writer = JSONWriter()
        writer.object { $0.members(of: problem) }
        self.init(status: problem.code.status, contentType: "application/problem+json", body: writer.bytes)
        if problem.code.isUnauthorized {
            fields.append(("WWW-Authenticate", problem.challenge))
            if problem.speaksOAuth { fields.append(("WWW-Authenticate", "Basic realm=\"curfew\", charset=\"UTF-8\"")) }
        }
        if let seconds = problem.code.retryAfterSeconds { fields.append(("Retry-After", String(seconds))) }
        if let excess = problem.excess { fields += excess.fields }
        fields += problem.cookies.map { ("Set-Cookie", $0) }
        if let allow = problem.allow { fields.append(("Allow", allow)) }
    }
}

extension Problem {
    /// RFC 6750 section 3: no `error` where there was no credential.
    var challenge: String {
        lacksCredential
            ? "Bearer realm=\"curfew\""
            : "Bearer error=\"invalid_token\", error_description=\"\(code.hint)\""
    }

    /// In the letters that RFC 6749 section 5.2 allows.
    fileprivate var oauthDescription: String {
        String(
            decoding: detail.utf8.map {
                (0x20...0x7E).contains($0) && !"\"\\".utf8.contains($0) ? $0 : UInt8(ascii: "'")
            }, as: UTF8.self)
    }

    /// RFC 6749 section 5.2; `temporarily_unavailable` as in its section 4.1.2.1.
    fileprivate var oauthError: String {
        switch code.status {
        case 401: "invalid_client"
        case 403: "unauthorized_client"
        case 500...: "temporarily_unavailable"
        default: "invalid_request"
        }
    }
}

extension JSONWriter {
    mutating func members(of problem: Problem) {
        if problem.isInactive { member("active", false) }
        member("type", "urn:curfew:problem:\(problem.code.rawValue)")
        member("title", problem.code.title)
        member("status", problem.code.status)
        member("code", problem.code.rawValue)
        member("detail", problem.detail)
        guard problem.speaksOAuth else { return }
        member("error", problem.oauthError)
        member("error_description", problem.oauthDescription)
    }
}
