// The table of calls: from it come the routing, 405 with `Allow`, the role that a call needs, which query parameters and
// bodies it takes, and the OpenAPI description. A call that isn't here doesn't exist.

/// Every call there is. The responder's `switch` over it is the proof that each is answered.
enum Call: String, CaseIterable, Sendable {
    case healthLive, healthReady, description, keySet, metadata
    case validate, forwardAuth, events, refresh, crossSiteToken, logout, ownSessions, endOwnSession
    case issue, reportFailure, makeState, consumeState, validateToken, validateBatch, revoke
    case introspect, revokeToken
    case readSession, patchSession, rotateSession, endSession, listSessions, endSessions, setPermissions, cluster
    case audit, metrics
}

enum ListenerKind: String, CaseIterable, Sendable {
    case `public`, admin
}

struct Route: Sendable {
    enum Method: String, Sendable { case get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE" }

    enum Access: Equatable, Sendable {
        case open
        /// The session's own token.
        case session
        case role(APIKey.Role)
    }

    enum Body: Equatable, Sendable {
        /// Whatever comes is read and forgotten.
        case ignored
        /// There may be none.
        case absent
        /// A JSON object of this schema.
        case json(schema: String)
        /// The same, or none.
        case optional(schema: String)
        /// OAuth's way (RFC 6749 appendix B): a form of this schema. What it does not name is passed over (section 3.2).
        case form(schema: String)
    }

    struct Parameter: Sendable {
        var name: String
        var summary: String
        /// JSON of its schema.
        var schema = #"{"type":"string"}"#
        /// May appear several times: the values, joined by commas.
        var isRepeatable = false
    }

    var call: Call
    var method: Method
    var path: String
    var access: Access
    var summary: String
    var body = Body.ignored
    var query: [Parameter] = []
    var headers: [Parameter] = []
    /// Status and schema of what is no problem; no schema where there is no JSON.
    var answers: [(status: Int, schema: String?)]
    /// Beyond those that every call can have.
    var problems: [ProblemCode] = []
    /// Takes the batch's larger body.
    var isBatch = false
    /// Whatever the method is; the description knows it by `method`.
    var takesAnyMethod = false
    /// Every path under that before its last segment, whatever stands there; the query, too, is the visitor's own.
    var isVisitorsPath = false
}

extension Route {
    /// A client of OAuth calls it.
    var speaksOAuth: Bool { path.hasPrefix(Route.oauthStem) }

    /// What the calls of RFC 7662 and RFC 7009 stand under: a client speaks OAuth there, and is answered in its words.
    static let oauthStem = "/oauth2/"

    /// Answered from what the node knows, in no time.
    var isLight: Bool {
        switch call {
        case .healthLive, .healthReady, .description, .keySet, .metadata, .cluster, .metrics: true
        case .validate, .forwardAuth, .events, .refresh, .crossSiteToken, .logout, .ownSessions, .endOwnSession,
            .issue, .reportFailure, .makeState, .consumeState, .validateToken, .validateBatch, .revoke, .introspect,
            .revokeToken,
            .readSession, .patchSession, .rotateSession, .endSession, .listSessions, .endSessions, .setPermissions,
            .audit:
            false
        }
    }

    /// The path's parameters, percent-decoded, where this path has the route's shape; `nil` where it has not.
    /// Throws for a parameter that is no text.
    func parameters(in path: Substring) throws(Problem) -> [String]? {
        if isVisitorsPath {
            let stem = self.path.prefix { $0 != "{" }
            return path.utf8.starts(with: stem.utf8) ? [] : nil
        }
        let pattern = self.path.split(separator: "/", omittingEmptySubsequences: false)
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        guard pattern.count == segments.count else { return nil }
        var encoded: [Substring] = []
        for (expected, found) in zip(pattern, segments) {
            if expected.hasPrefix("{") {
                guard !found.isEmpty else { return nil }
                encoded.append(found)
            } else if expected.utf8.elementsEqual(found.utf8) == false {
                return nil
            }
        }
        var parameters: [String] = []
        for segment in encoded {
            guard let text = PercentCoding.decode(segment.utf8, plusIsSpace: false) else {
                throw .malformed("the path holds a percent escape that is not UTF-8 text")
            }
            parameters.append(text)
        }
        return parameters
    }
}

enum PercentCoding {
    /// All but the unreserved characters (RFC 3986 section 2.3).
    static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if byte.isLetter || byte.isDigit || "-._~".utf8.contains(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `nil` for a broken escape and for bytes that are no UTF-8.
    static func decode(_ text: some Sequence<UInt8>, plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        var rest = text.makeIterator()
        while let byte = rest.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.next()?.hexValue, let low = rest.next()?.hexValue else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? .space : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Tells names and values of a query or a form, decoded (WHATWG URL, section 5.1), as far as they are well-formed.
    static func forEachPair(
        in text: some Collection<UInt8>, of place: String,
        _ body: (_ name: String, _ value: String) throws(Problem) -> Void
    ) throws(Problem) {
        for pair in text.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(parts[0], plusIsSpace: true),
                let value = decode(parts.count > 1 ? parts[1] : pair.suffix(0), plusIsSpace: true)
            else { throw .malformed("the \(place) holds a percent escape that is not UTF-8 text") }
            try body(name, value)
        }
    }
}
