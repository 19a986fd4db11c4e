// The tables against what is made of them: problems, routes, the OpenAPI description.

import NIOCore
import Foundation
import Testing

@testable import CurfewNode

@Suite("Problems") struct ProblemTests {
    @Test("every code stands in the documentation's table, with its status")
    func documented() throws {
        let documentation = try String(contentsOf: Self.documentation, encoding: .utf8)
        for code in ProblemCode.allCases {
            #expect(documentation.contains("| \(code.status) | `\(code.rawValue)` |"), "\(code.rawValue)")
        }
    }

    private static let documentation = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../../docs/api.md")

    @Test("every code has a status that is sent, a title, a hint, and an answer with all five members")
    func table() throws {
        for code in ProblemCode.allCases {
            #expect([400, 401, 403, 404, 405, 409, 412, 413, 415, 429, 431, 500, 503].contains(code.status))
            #expect(!code.title.isEmpty && code.hint.hasSuffix("."))
            #expect(!code.hint.contains("\""), "it is quoted in WWW-Authenticate")
            let answer = Answer(Problem(code))
            guard case .object(let members) = try answer.body.withUnsafeBytes({ try JSONParser.parse($0) }) else {
                Issue.record("\(code) is no object")
                continue
            }
            #expect(members.map(\.name) == ["type", "title", "status", "code", "detail"])
            #expect(members[3].value == .string(code.rawValue))
            let names = answer.fields.map(\.name)
            #expect(answer.fields[0] == ("Content-Type", "application/problem+json"))
            #expect(names.contains("WWW-Authenticate") == (code.status == 401))
            #expect(names.contains("Retry-After") == (code.status == 503))
        }
    }

    @Test("a 401 of validate says that it is not active, and names no error where there was no token")
    func inactive() {
        let missing = Answer(Problem.inactive(.tokenMissing))
        #expect(missing.fields.first { $0.name == "WWW-Authenticate" }?.value == "Bearer realm=\"curfew\"")
        let expired = Answer(Problem.inactive(.tokenExpired))
        let challenge = expired.fields.first { $0.name == "WWW-Authenticate" }?.value
        #expect(challenge?.hasPrefix("Bearer error=\"invalid_token\", error_description=\"") == true)
        for answer in [missing, expired] {
            #expect(String(decoding: answer.body, as: UTF8.self).hasPrefix("{\"active\":false,"))
        }
    }

    @Test("every failure of the service has its code")
    func service() {
        let rows: [(ServiceError, ProblemCode)] = [
            (.stale(detail: "d"), .revocationStateStale), (.redisUnavailable(detail: "d"), .redisUnavailable),
            (.overloaded(detail: "d"), .overloaded), (.notFound(detail: "d"), .notFound),
            (.tokenRefused(.tokenMalformed), .tokenMalformed),
            (.tokenRefused(.tokenSignatureInvalid), .tokenSignatureInvalid),
            (.outOfRange(detail: "d"), .valueOutOfRange),
            (.malformed(detail: "d"), .malformedRequest),
        ]
        for (error, code) in rows { #expect(Problem(error).code == code) }
    }
}

@Suite("Routes") struct RouteTests {
    private func match(_ kind: ListenerKind, _ method: String, _ path: String) throws -> String {
        switch try RouteTable(kind).match(method: method, path: path[...]) {
        case .found(let route, let parameters): ([route.call.rawValue] + parameters).joined(separator: " ")
        case .otherMethods(let allow): "405 \(allow.joined(separator: ", "))"
        case .nothing: "404"
        }
    }

    @Test("paths are matched by the letter, their parameters decoded")
    func matching() throws {
        #expect(try match(.public, "GET", "/v1/validate") == "validate")
        #expect(try match(.public, "HEAD", "/v1/validate") == "validate")
        #expect(try match(.public, "PUT", "/v1/validate") == "405 GET, HEAD, POST")
        #expect(try match(.public, "POST", "/v1/issue") == "404")
        #expect(try match(.admin, "GET", "/v1/validate") == "405 POST")
        #expect(try match(.admin, "POST", "/v1/issue") == "issue")
        #expect(try match(.admin, "POST", "/v1/issue/") == "404")
        #expect(try match(.admin, "POST", "//v1/issue") == "404")
        #expect(try match(.admin, "POST", "/V1/issue") == "404")
        #expect(try match(.admin, "GET", "/v1/users/a%2Fb%20%C3%A9/sessions") == "listSessions a/b é")
        #expect(try match(.admin, "GET", "/v1/users//sessions") == "404")
        #expect(try match(.admin, "PUT", "/v1/sessions/x") == "405 GET, HEAD, PATCH, DELETE")
        for path in ["/v1/forward-auth", "/v1/forward-auth/", "/v1/forward-auth/a/%zz/.."] {
            #expect(try match(.public, "BREW", path) == "forwardAuth")
        }
        #expect(try match(.public, "GET", "/v1/forward-authority") == "404")
        for path in [
            "/v1/users/%/sessions", "/v1/users/%4/sessions", "/v1/users/%zz/sessions", "/v1/users/%FF/sessions",
        ] {
            #expect(throws: Problem.self) { try match(.admin, "GET", path) }
        }
    }

    @Test("only health checks and OAuth's discovery go without an API key on the admin listener")
    func open() {
        let open = RouteTable(.admin).routes.filter { $0.access == .open }.map(\.path)
        #expect(
            Set(open) == [
                "/health/live", "/health/ready", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server",
            ])
        #expect(RouteTable(.admin).batchPath == "/v1/validate/batch")
        #expect(RouteTable(.public).batchPath == nil)
    }

    @Test("every call is reached by a route")
    func calls() {
        let reached = Set(ListenerKind.allCases.flatMap { RouteTable($0).routes.map(\.call) })
        #expect(reached == Set(Call.allCases))
    }

    private static func parameters(_ names: String...) -> [Route.Parameter] {
        names.map { Route.Parameter(name: $0, summary: "") }
    }

    @Test("queries are held to what a call has")
    func queries() throws {
        #expect(try QueryString.parse("a=1&b=x+y%26", allowed: Self.parameters("a", "b")) == ["a": "1", "b": "x y&"])
        #expect(try QueryString.parse("", allowed: []) == [:])
        #expect(try QueryString.parse("a", allowed: Self.parameters("a")) == ["a": ""])
        for text in ["c=1", "a=1&a=1", "A=1"] {
            #expect(throws: Problem.self) { try QueryString.parse(text, allowed: Self.parameters("a")) }
        }
        let repeatable = [Route.Parameter(name: "r", summary: "", isRepeatable: true)]
        #expect(try QueryString.parse("r=a&r=b,c", allowed: repeatable) == ["r": "a,b,c"])
        #expect(throws: Problem.self) { try QueryString.parse("a=%", allowed: Self.parameters("a")) }
    }

    @Test("media types")
    func mediaTypes() {
        for type in [
            "application/json", "Application/JSON", "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            #expect(MediaType.isJSON(type))
        }
        for type in [
            nil, "", "text/plain", "application/jsonx", "application/json; charset=latin1", "application/problem+json",
        ] {
            #expect(!MediaType.isJSON(type))
        }
    }
}

@Suite("OpenAPI") struct OpenAPITests {
    private func member(_ name: String, of value: JSONValue?) -> JSONValue? {
        guard case .object(let members)? = value else { return nil }
        return members.first { $0.name == name }?.value
    }

    private func names(_ value: JSONValue?) -> [String] {
        guard case .object(let members)? = value else { return [] }
        return members.map(\.name)
    }

    private func references(_ value: JSONValue) -> [String] {
        switch value {
        case .null, .bool, .number, .string: []
        case .array(let elements): elements.flatMap(references)
        case .object(let members):
            members.flatMap { member in
                if member.name == "$ref", case .string(let text) = member.value { return [text] }
                return references(member.value)
            }
        }
    }

    @Test(
        "each route is described, nothing else is, and every reference leads somewhere",
        arguments: ListenerKind.allCases)
    func document(_ kind: ListenerKind) throws {
        let table = RouteTable(kind)
        let document = try OpenAPI.document(of: table).withUnsafeBytes { try JSONParser.parse($0) }
        #expect(member("openapi", of: document) == .string("3.1.0"))
        let paths = member("paths", of: document)
        var described: Set<String> = []
        for path in names(paths) {
            for method in names(member(path, of: paths)) { described.insert("\(method.uppercased()) \(path)") }
        }
        #expect(described == Set(table.routes.map { "\($0.method.rawValue) \($0.path)" }))
        let schemas = names(member("schemas", of: member("components", of: document)))
        for reference in references(document) {
            #expect(schemas.contains(reference.replacing("#/components/schemas/", with: "")), "\(reference)")
        }
        for route in table.routes {
            let operation = member(route.method.rawValue.lowercased(), of: member(route.path, of: paths))
            let statuses = Set(names(member("responses", of: operation)))
            for answer in route.answers { #expect(statuses.contains(String(answer.status))) }
            for problem in OpenAPI.problems(of: route) { #expect(statuses.contains(String(problem.status))) }
        }
    }
}

@Suite("Trusted proxies") struct TrustedProxiesTests {
    private func peer(_ text: String) throws -> SocketAddress { try SocketAddress(ipAddress: text, port: 4711) }

    @Test("are those of the named networks, and no others")
    func networks() throws {
        let proxies = try #require(TrustedProxies("10.0.0.0/9,192.0.2.7,2001:db8::/33,::1"))
        for text in ["10.0.0.0", "10.127.255.255", "192.0.2.7", "2001:db8:7fff::1", "::1", "::ffff:10.1.2.3"] {
            #expect(proxies.contains(try peer(text)), "\(text)")
        }
        for text in ["10.128.0.0", "11.0.0.1", "192.0.2.8", "2001:db8:8000::1", "::2", "::ffff:192.0.2.8", "127.0.0.1"]
        {
            #expect(!proxies.contains(try peer(text)), "\(text)")
        }
        #expect(!proxies.contains(nil))
        #expect(!proxies.contains(try SocketAddress(unixDomainSocketPath: "/tmp/s")))
        #expect(try #require(TrustedProxies("0.0.0.0/0")).contains(try peer("198.51.100.1")))
        #expect(try #require(TrustedProxies("none")).contains(try peer("127.0.0.1")) == false)
        #expect(TrustedProxies.loopback.contains(try peer("127.8.8.8")))
    }

    @Test(
        "what is no list of networks is refused",
        arguments: [
            "", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::1/129", "1.2.3.4,", "1.2.3.4/08", "none,::1",
        ])
    func wrong(text: String) { #expect(TrustedProxies(text) == nil) }
}
