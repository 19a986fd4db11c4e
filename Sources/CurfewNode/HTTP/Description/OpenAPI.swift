// `/openapi.json`: OpenAPI 3.1, made of the route table and the problem table, so that it can't fall behind them.
// Schemas stand in `Schemas.swift` as JSON; a test resolves every reference.

enum OpenAPI {
    /// The description of one listener's calls.
    static func document(of table: RouteTable) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("openapi", "3.1.0")
            writer.name("info")
            writer.object {
                $0.member("title", "Curfew, \(table.kind.rawValue) listener")
                $0.member("version", curfewVersion)
                $0.member("license", "Apache-2.0", as: "identifier")
            }
            writer.name("paths")
            writer.object { $0.paths(of: table) }
            writer.name("components")
            writer.object { writer in
                writer.name("schemas")
                writer.object { $0.schemas() }
                writer.name("securitySchemes")
                writer.raw(
                    table.kind == .admin
                        ? #"{"apiKey":{"type":"http","scheme":"bearer"},"clientSecret":{"type":"http","scheme":"basic"}}"#
                        : #"{"bearer":{"type":"http","scheme":"bearer","bearerFormat":"JWT"},"#
                            + #""cookie":{"type":"apiKey","in":"cookie","name":"__Host-curfew"}}"#)
            }
        }
        return writer.bytes
    }

    /// What any call can answer, on top of its own.
    static func problems(of route: Route) -> [ProblemCode] {
        var codes: [ProblemCode] = [.malformedRequest, .unknownField]
        if case .role = route.access { codes += [.valueOutOfRange, .apiKeyInvalid, .forbidden] }
        switch route.body {
        case .json, .optional, .form: codes.append(.unsupportedMediaType)
        case .absent, .ignored: break
        }
        codes += [.headTooLarge, .bodyTooLarge]
        return codes + route.problems
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ outer: String, _ text: String, as inner: String) {
        name(outer)
        object {
            $0.member("name", text)
            $0.member(inner, text)
        }
    }

    fileprivate mutating func paths(of table: RouteTable) {
        var seen: Set<String> = []
        for path in table.routes.map(\.path) where seen.insert(path).inserted {
            name(path)
            object { writer in
                for route in table.routes where route.path == path {
                    writer.name(route.method.rawValue.lowercased())
                    writer.object { $0.operation(route) }
                }
            }
        }
    }

    private mutating func operation(_ route: Route) {
        member(
            "operationId",
            route.call == .validate
                ? "validate_\(route.method.rawValue.lowercased())"
                : route.call.rawValue + (route.isVisitorsPath ? "_path" : ""))
        member("summary", route.summary)
        name("security")
        switch route.access {
        case .open: raw("[]")
        case .session: raw(#"[{"bearer":[]},{"cookie":[]}]"#)
        case .role(let role):
            raw(route.speaksOAuth ? #"[{"apiKey":[]},{"clientSecret":[]}]"# : #"[{"apiKey":[]}]"#)
            member("x-curfew-role", role.rawValue)
        }
        parameters(of: route)
        switch route.body {
        case .json(let schema): requestBody(schema, isRequired: true)
        case .optional(let schema): requestBody(schema, isRequired: false)
        case .form(let schema): requestBody(schema, isRequired: true, type: MediaType.form)
        case .absent, .ignored: break
        }
        name("responses")
        object { $0.responses(of: route) }
    }

    private mutating func requestBody(
        _ schema: String, isRequired: Bool, type: String = "application/json"
    ) {
        name("requestBody")
        object { writer in
            writer.member("required", isRequired)
            writer.content(type, schema: schema)
        }
    }

    private mutating func parameters(of route: Route) {
        let inPath = route.path.split(separator: "/").filter { $0.hasPrefix("{") }
            .map { Route.Parameter(name: String($0.dropFirst().dropLast()), summary: "Percent-encoded.") }
        let all = inPath.map { ("path", $0) } + route.query.map { ("query", $0) } + route.headers.map { ("header", $0) }
        guard !all.isEmpty else { return }
        name("parameters")
        array { writer in
            for (place, parameter) in all {
                writer.object {
                    $0.member("name", parameter.name)
                    $0.member("in", place)
                    $0.member("required", place == "path")
                    $0.member("description", parameter.summary)
                    $0.name("schema")
                    $0.raw(parameter.schema)
                }
            }
        }
    }

    private mutating func responses(of route: Route) {
        for answer in route.answers {
            name(String(answer.status))
            object {
                $0.member("description", reasonPhrase(answer.status))
                if let schema = answer.schema { $0.content("application/json", schema: schema) }
            }
        }
        let codes = OpenAPI.problems(of: route)
        for status in Set(codes.map(\.status)).sorted() {
            name(String(status))
            object { writer in
                let those = codes.filter { $0.status == status }.map { "`\($0.rawValue)`: \($0.hint)" }
                writer.member("description", those.joined(separator: "\n"))
                writer.content("application/problem+json", schema: "Problem")
            }
        }
    }

    private mutating func content(_ type: String, schema: String) {
        name("content")
        object { writer in
            writer.name(type)
            writer.object { writer in
                writer.name("schema")
                writer.object { $0.member("$ref", "#/components/schemas/\(schema)") }
            }
        }
    }

    fileprivate mutating func schemas() {
        for schema in Schemas.all {
            name(schema.name)
            raw(schema.json)
        }
        name("Problem")
        object { writer in
            writer.member("type", "object")
            writer.member("required", strings: ["type", "title", "status", "code", "detail"])
            writer.name("properties")
            writer.object { writer in
                for text in ["type", "title", "detail", "error", "error_description"] {
                    writer.name(text)
                    writer.raw(#"{"type":"string"}"#)
                }
                writer.name("status")
                writer.raw(#"{"type":"integer"}"#)
                writer.name("active")
                writer.raw(#"{"const":false}"#)
                writer.name("code")
                writer.object {
                    $0.member("type", "string")
                    $0.member("enum", strings: ProblemCode.allCases.map(\.rawValue))
                }
            }
        }
    }
}
