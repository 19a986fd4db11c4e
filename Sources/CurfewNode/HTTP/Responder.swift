// The slow path: finds the call, checks who asks, reads what they ask with, and turns every failure into its problem.
// The order is always the same: path, key, method, role, query, body; so an answer tells strangers nothing.

import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes

/// One request, as a call sees it.
struct CallRequest: Sendable {
    let route: Route
    /// Of the path, in order, decoded.
    let parameters: [String]
    let query: [String: String]
    let fields: HTTPFields
    let body: [UInt8]
    /// Who calls; `nil` on the public listener.
    let caller: APIKey?
    /// The other end of the connection.
    let peer: SocketAddress?
    /// The `Host` field.
    let host: String?

    /// A header field's value by its lower-case name.
    func field(_ name: String) -> String? { fields.first { $0.name.canonicalName == name }?.value }

    /// All of them, of a field that may be repeated.
    func values(_ name: String) -> [String] { fields.values(name) }
}

extension HTTPFields {
    /// A field's values by its lower-case name.
    func values(_ name: String) -> [String] { filter { $0.name.canonicalName == name }.map(\.value) }
}

struct Responder: Sendable {
    let table: RouteTable
    let keys: APIKeys
    let calls: Calls
    let crossOrigin: CrossOriginFields
    let limits: ListenerLimits
    let logger: Logger

    /// Answers one request of the framework's. Its place is free before the answer is written: who is slow to read it holds none.
    func respond(
        to request: Request, from peer: SocketAddress?, with writer: consuming ResponseWriter, place: CallPlace
    ) async throws {
        let trace = request.headers.values("traceparent").onlyElement.flatMap { TraceContext($0) }
        let visitor = Visitor(
            peer: peer, fields: request.headers, trustedProxies: calls.trustedProxies,
            isByBackend: table.kind == .admin)
        var answer = await Visitor.$current.withValue(visitor) {
            await TraceContext.$current.withValue(trace) {
                await self.answer(to: request, from: peer, place: place)
            }
        }
        place.release()
        crossOrigin.add(to: &answer, for: request.headers)
        var fields = HTTPFields()
        for field in answer.fields {
            if let name = HTTPField.Name(field.name) { fields.append(HTTPField(name: name, value: field.value)) }
        }
        if let stream = answer.stream {
            let body = ResponseBody { writer in
                try await stream { try await writer.write(ByteBuffer(bytes: $0)) }
                try await writer.finish(nil)
            }
            let head = HTTPResponse(status: .init(code: answer.status), headerFields: fields)
            return try await writer.write(response: head, body: request.method == .head ? ResponseBody() : body)
        }
        fields[.contentLength] = String(answer.body.count)
        let head = HTTPResponse(status: .init(code: answer.status), headerFields: fields)
        try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }

    /// What needs no task: a refusal of who calls, and the calls that must be answered whatever else is under way.
    func answerAtOnce(_ head: HTTPRequest) -> Answer? {
        guard var answer = immediateAnswer(to: head) else { return nil }
        crossOrigin.add(to: &answer, for: head.headerFields)
        return answer
    }

    private func immediateAnswer(to head: HTTPRequest) -> Answer? {
        let path = head.path ?? "/"
        do throws(Problem) {
            _ = try caller(of: head.headerFields, path: path.prefix { $0 != "?" })
            guard table.isOpen(path[...]),
                case .found(let route, _) = try table.match(method: head.method.rawValue, path: path[...])
            else { return nil }
            return try calls.answerAtOnce(route.call)
        } catch {
            calls.service.metrics.count(error.code)
            return Answer(inWords(of: path, error))
        }
    }

    /// Who speaks OAuth is told in its words.
    private func inWords(of path: String, _ problem: Problem) -> Problem {
        var problem = problem
        problem.speaksOAuth = table.kind == .admin && path.hasPrefix(Route.oauthStem)
        return problem
    }

    private func answer(to request: Request, from peer: SocketAddress?, place: CallPlace) async -> Answer {
        do throws(Problem) {
            if request.method == .options, let answer = try preflight(request) { return answer }
            let call = try await understand(request, from: peer)
            if place.hasWaitedTooLong { throw Problem(.overloaded, "the call waited too long for its turn") }
            return try await calls.answer(call)
        } catch {
            calls.service.metrics.count(error.code)
            if error.code == .internalError {
                logger.error("internal failure", metadata: ["detail": "\(error.detail)"])
            } else if error.code.status == 503 {
                logger.debug("not answered", metadata: ["code": "\(error.code.rawValue)", "detail": "\(error.detail)"])
            }
            return Answer(inWords(of: request.head.path ?? "/", error))
        }
    }

    /// A browser that asks whether a page may make a call. To forward-auth a visitor's own `OPTIONS` comes, as any other method.
    private func preflight(_ request: Request) throws(Problem) -> Answer? {
        let path = (request.head.path ?? "/").prefix { $0 != "?" }
        guard case .otherMethods(let allow) = try table.match(method: request.method.rawValue, path: path) else {
            return nil
        }
        return crossOrigin.preflight(request.headers, methods: allow)
    }

    private func understand(_ request: Request, from peer: SocketAddress?) async throws(Problem) -> CallRequest {
        let target = (request.head.path ?? "/").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let caller = try caller(of: request.headers, path: target[0])
        switch try table.match(method: request.method.rawValue, path: target[0]) {
        case .nothing: throw Problem(.notFound)
        case .otherMethods(let allow):
            var problem = Problem(.methodNotAllowed)
            problem.allow = allow.joined(separator: ", ")
            throw problem
        case .found(let route, let parameters):
            if case .role(let role) = route.access, caller?.allows(role) != true {
                throw Problem(.forbidden, "this call needs the role \(role.rawValue)")
            }
            let query =
                try route.isVisitorsPath
                ? [:] : QueryString.parse(target.count > 1 ? target[1] : "", allowed: route.query)
            let body = try await body(of: request, for: route)
            return CallRequest(
                route: route, parameters: parameters, query: query, fields: request.headers, body: body,
                caller: caller, peer: peer, host: request.head.authority)
        }
    }

    /// Only health checks and the public listener's calls go without an API key.
    private func caller(of fields: HTTPFields, path: Substring) throws(Problem) -> APIKey? {
        guard table.kind == .admin, !table.isOpen(path) else { return nil }
        let authorization = fields[.authorization]
        let bearer = Credential.token(authorization: authorization, cookies: [], acceptsInsecureName: false)
        let passwords = path.hasPrefix(Route.oauthStem) ? authorization.map(Credential.passwords) : nil
        let presented = bearer.map { [$0] } ?? passwords ?? []
        guard !presented.isEmpty else {
            var problem = Problem(.apiKeyInvalid)
            problem.lacksCredential = true
            throw problem
        }
        let owners = presented.compactMap(keys.owner)
        guard let owner = owners.first else { throw Problem(.apiKeyInvalid) }
        return owner
    }

    private func body(of request: Request, for route: Route) async throws(Problem) -> [UInt8] {
        let limit = route.isBatch ? limits.maximumBatchBodyBytes : limits.maximumBodyBytes
        let body: [UInt8]
        do {
            // One that is ignored, too: no work begins for a request that is not whole.
            body = Array(try await request.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw Problem(.bodyTooLarge)
        } catch {
            throw .malformed("the request ended within its body")
        }
        if route.body == .ignored { return [] }
        if route.body == .absent {
            guard body.isEmpty else { throw .malformed("this call takes no body") }
            return []
        }
        if case .optional = route.body, body.isEmpty { return [] }
        if case .form = route.body {
            guard MediaType.isForm(request.headers[.contentType]) else {
                throw Problem(.unsupportedMediaType, "Send the body as \(MediaType.form).")
            }
            return body
        }
        guard !body.isEmpty else { throw .malformed("this call takes a JSON object as its body") }
        guard MediaType.isJSON(request.headers[.contentType], orMergePatch: route.method == .patch) else {
            throw Problem(.unsupportedMediaType)
        }
        return body
    }
}

enum MediaType {
    /// `application/json`, with no charset but UTF-8.
    /// `orMergePatch`: or RFC 7396's own.
    static func isJSON(_ field: String?, orMergePatch: Bool = false) -> Bool {
        guard let field else { return false }
        let parts = field.lowercased().split(separator: ";", omittingEmptySubsequences: false).map { part in
            part.filter { $0 != " " && $0 != "\t" && $0 != "\"" }
        }
        let isMergePatch = orMergePatch && parts.first == "application/merge-patch+json"
        guard parts.first == "application/json" || isMergePatch else { return false }
        return parts.dropFirst().allSatisfy { !$0.hasPrefix("charset=") || $0 == "charset=utf-8" }
    }

    static let form = "application/x-www-form-urlencoded"

    /// Whatever parameters it has: the form's own rules are UTF-8 (RFC 6749 appendix B).
    static func isForm(_ field: String?) -> Bool {
        field?.lowercased().split(separator: ";").first.map { $0.trimmingBlanks } == form[...]
    }
}

enum QueryString {
    /// Unknown and repeated parameters are refused: a typo must not widen what a call does.
    static func parse(_ text: some StringProtocol, allowed: [Route.Parameter]) throws(Problem) -> [String: String] {
        var values: [String: String] = [:]
        try PercentCoding.forEachPair(in: text.utf8, of: "query") { name, value throws(Problem) in
            guard let parameter = allowed.first(where: { $0.name == name }) else {
                let known = allowed.isEmpty ? "none" : allowed.map(\.name).joined(separator: ", ")
                let said = name.isPlainName ? "\(name) is no query parameter of this call" : "unknown query parameter"
                throw .unknownField("\(said); it has \(known)")
            }
            if let earlier = values[name] {
                guard parameter.isRepeatable else {
                    throw .unknownField("the query parameter \(name) appears twice")
                }
                values[name] = "\(earlier),\(value)"
            } else {
                values[name] = value
            }
        }
        return values
    }
}
