// What a page of another origin may do with the browser's cookie: nothing that changes anything, and read nothing, unless its
// origin is allowed (the Fetch standard's CORS protocol, W3C Fetch Metadata).

import HTTPTypes
import NIOCore

extension Calls {
    /// Whether a page of an origin that is not allowed made this call, as far as its browser says. One that says nothing is an old
    /// one or none; there the session's own token decides alone.
    func isFromElsewhere(_ request: CallRequest) -> Bool {
        let origins = request.values("origin")
        guard origins.count <= 1 else { return true }
        if let origin = origins.first, allowedOrigins.contains(origin) { return false }
        switch request.field("sec-fetch-site") {
        case "same-origin", "none": return false
        case nil:
            guard let origin = origins.first, let host = visitedHost(request) else { return false }
            return AllowedOrigins.authority(of: origin)?.lowercased() != withoutOwnPort(host, of: origin).lowercased()
        default: return true
        }
    }

    /// Browsers leave the scheme's own port out of an origin; proxies may write it.
    private func withoutOwnPort(_ host: Substring, of origin: String) -> Substring {
        let port = origin.hasPrefix("https:") ? ":443" : ":80"
        return host.hasSuffix(port) ? host.dropLast(port.count) : host
    }

    /// The host that the visitor's browser spoke to. `nil` where a proxy asks in its own name and does not say: there the Host field
    /// is this node's.
    func visitedHost(_ request: CallRequest) -> Substring? {
        if trustedProxies.contains(request.peer), let hosts = request.field("x-forwarded-host") {
            return hosts.prefix { $0 != "," }.trimmingBlanks
        }
        return request.route.call == .forwardAuth ? nil : request.host.map { $0[...] }
    }
}

/// The fields of the CORS protocol.
struct CrossOriginFields: Sendable {
    let allowed: AllowedOrigins

    /// For how long a browser need not ask again (s).
    private static let maximumAge = 600
    private static let requestFields =
        "Authorization, Content-Type, Curfew-Activity, Curfew-At-Least, Curfew-Consistency, Curfew-Fingerprint, Idempotency-Key, "
        + "Last-Event-ID, traceparent, tracestate, X-CSRF-Token"

    /// Lets a page of an allowed origin read the answer.
    func add(to answer: inout Answer, for fields: HTTPFields) {
        guard !allowed.isEmpty else { return }
        answer.fields.append(("Vary", "Origin"))
        guard let origin = origin(of: fields) else { return }
        answer.fields += [
            ("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", "RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate"),
        ]
    }

    /// The answer to a browser that asks first whether a page may make a call; `nil` where it is no such question, or the origin
    /// is not allowed.
    func preflight(_ fields: HTTPFields, methods: [String]) -> Answer? {
        guard origin(of: fields) != nil, !fields.values("access-control-request-method").isEmpty else { return nil }
        var answer = Answer(status: 200, body: [])
        answer.fields = [
            ("Access-Control-Allow-Methods", methods.joined(separator: ", ")),
            ("Access-Control-Allow-Headers", Self.requestFields),
            ("Access-Control-Max-Age", String(Self.maximumAge)),
        ]
        return answer
    }

    private func origin(of fields: HTTPFields) -> String? {
        let origins = fields.values("origin")
        guard origins.count == 1, let origin = origins.first, allowed.contains(origin) else { return nil }
        return origin
    }
}
