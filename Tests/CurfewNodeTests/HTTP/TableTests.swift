// The tables against what is made of them: problems, routes, the OpenAPI description.

import Testing

@testable import CurfewNode

@Suite("Problems") struct ProblemTests {
    @Test("every code has a status that is sent, a title, a hint, and an answer with all five members")
    func table() throws {
        for code in ProblemCode.allCases {
            #expect([400, 401, 403, 404, 405, 413, 415, 431, 500, 503].contains(code.status))
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
        case .otherMethods(let allow): "405 \(allow)"
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
        #expect(try match(.admin, "PATCH", "/v1/sessions/x") == "405 GET, HEAD, DELETE")
        for path in [
            "/v1/users/%/sessions", "/v1/users/%4/sessions", "/v1/users/%zz/sessions", "/v1/users/%FF/sessions",
        ] {
            #expect(throws: Problem.self) { try match(.admin, "GET", path) }
        }
    }

    @Test("only health checks go without an API key on the admin listener")
    func open() {
        let open = RouteTable(.admin).routes.filter { $0.access == .open }.map(\.path)
        #expect(Set(open) == ["/health/live", "/health/ready"])
        #expect(RouteTable(.admin).batchPath == "/v1/validate/batch")
        #expect(RouteTable(.public).batchPath == nil)
    }

    @Test("every call is reached by a route")
    func calls() {
        let reached = Set(ListenerKind.allCases.flatMap { RouteTable($0).routes.map(\.call) })
        #expect(reached == Set(Call.allCases))
    }

    @Test("queries are held to what a call has")
    func queries() throws {
        #expect(try QueryString.parse("a=1&b=x+y%26", allowed: ["a", "b"]) == ["a": "1", "b": "x y&"])
        #expect(try QueryString.parse("", allowed: []) == [:])
        #expect(try QueryString.parse("a", allowed: ["a"]) == ["a": ""])
        for text in ["c=1", "a=1&a=1", "A=1"] {
            #expect(throws: Problem.self) { try QueryString.parse(text, allowed: ["a"]) }
        }
        #expect(throws: Problem.self) { try QueryString.parse("a=%", allowed: ["a"]) }
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
