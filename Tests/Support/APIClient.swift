// The HTTP interface of one node as functions: one a verb, each giving the whole answer, so that a test can look at status,
// code and body alike. Knows both listeners and the API key; never retries.

import Dispatch

/// A node's two listeners.
package enum Listener: String, Sendable, CaseIterable { case `public`, admin }

/// A session that a test was given.
package struct TestSession: Sendable, Hashable {
    package let id: String
    package let user: String
    package let token: String
    package let refreshToken: String?
    package let crossSiteToken: String?

    /// What `issue` or `refresh` answered; `nil` where it holds no token.
    package init?(_ answer: JSON) {
        guard let id = answer["sessionId"].string, let user = answer["userId"].string,
            let token = answer["token"].string
        else { return nil }
        self.id = id
        self.user = user
        self.token = token
        refreshToken = answer["refreshToken"].string
        crossSiteToken = answer["csrfToken"].string
    }
}

/// A call was not answered as it had to be for the test to go on.
package struct UnexpectedAnswer: Error, CustomStringConvertible {
    package let answer: HTTPAnswer
    package let description: String

    package init(_ call: String, _ answer: HTTPAnswer) {
        self.answer = answer
        description = "\(call) was answered \(answer.status): \(String(decoding: answer.body, as: UTF8.self))"
    }
}

/// What a revoke may be told besides its target.
package struct RevokeOptions: Sendable {
    package var waits = false
    package var timeoutMilliseconds: Int?
    package var durability: String?
    package var reason: String?

    package static let none = RevokeOptions()
    /// `wait: "cluster"`.
    package static let cluster = RevokeOptions(waits: true)

    package init(
        waits: Bool = false, timeoutMilliseconds: Int? = nil, durability: String? = nil, reason: String? = nil
    ) {
        self.waits = waits
        self.timeoutMilliseconds = timeoutMilliseconds
        self.durability = durability
        self.reason = reason
    }

    package var members: [String: JSON] {
        var members: [String: JSON] = [:]
        if waits { members["wait"] = "cluster" }
        members["timeoutMs"] = timeoutMilliseconds.map { .number(Double($0)) }
        members["durability"] = durability.map(JSON.string)
        members["reason"] = reason.map(JSON.string)
        return members
    }
}

/// Calls one node.
package struct APIClient: Sendable {
    package let publicPort: Int
    package let adminPort: Int
    package let apiKey: String

    package init(publicPort: Int, adminPort: Int, apiKey: String) {
        self.publicPort = publicPort
        self.adminPort = adminPort
        self.apiKey = apiKey
    }

    package func port(of listener: Listener) -> Int { listener == .admin ? adminPort : publicPort }

    /// One request, one answer. Throws when there was none within `timeout`.
    package func call(
        _ method: String, _ path: String, on listener: Listener = .admin, body: JSON? = nil,
        headers: [(String, String)] = [], timeout: Duration = .seconds(10)
    ) async throws -> HTTPAnswer {
        try await call(method, path, on: listener, text: body?.text, headers: headers, timeout: timeout)
    }

    /// The same with a body that need not be JSON.
    package func call(
        _ method: String, _ path: String, on listener: Listener = .admin, text: String?,
        headers: [(String, String)] = [], type: String = "application/json", timeout: Duration = .seconds(10)
    ) async throws -> HTTPAnswer {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: curfew\r\nConnection: close\r\n"
        if listener == .admin { head += "Authorization: Bearer \(apiKey)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        let content = Array((text ?? "").utf8)
        if text != nil { head += "Content-Type: \(type)\r\nContent-Length: \(content.count)\r\n" }
        return try await exchange(Array("\(head)\r\n".utf8) + content, on: listener, timeout: timeout)
    }

    /// Sends these bytes on a connection of their own and gives the first answer to them.
    package func exchange(
        _ bytes: [UInt8], on listener: Listener, timeout: Duration = .seconds(10)
    ) async throws -> HTTPAnswer {
        let port = port(of: listener)
        let milliseconds = Int(timeout / .milliseconds(1))
        return try await withCheckedThrowingContinuation { continuation in
            // Blocking, so not on the threads that the tests' tasks share.
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result {
                        let connection = try RawConnection(port: port)
                        connection.send(bytes)
                        return try connection.answer(withinMilliseconds: milliseconds)
                    })
            }
        }
    }

    /// `POST /v1/issue`, which must succeed.
    package func issue(
        _ user: String, device: String? = nil, tenant: String? = nil, kind: String? = nil, permissions: [String] = []
    ) async throws -> TestSession {
        var body: [String: JSON] = ["userId": .string(user)]
        body["deviceId"] = device.map(JSON.string)
        body["tenantId"] = tenant.map(JSON.string)
        body["kind"] = kind.map(JSON.string)
        if !permissions.isEmpty { body["permissions"] = .array(permissions.map(JSON.string)) }
        let answer = try await call("POST", "/v1/issue", body: .object(body))
        guard answer.status == 201, let session = TestSession(answer.json) else {
            throw UnexpectedAnswer("issue", answer)
        }
        return session
    }

    /// `POST /oauth2/introspect`, whatever comes of it.
    package func introspect(_ token: String) async throws -> HTTPAnswer {
        try await call("POST", "/oauth2/introspect", text: "token=\(token)", type: "application/x-www-form-urlencoded")
    }

    /// `POST /v1/refresh` by a refresh token, whatever comes of it.
    package func refresh(_ refreshToken: String) async throws -> HTTPAnswer {
        try await call("POST", "/v1/refresh", on: .public, body: ["refreshToken": .string(refreshToken)])
    }

    /// `POST /v1/refresh` by the session's token, as its bearer.
    package func refresh(bearing token: String) async throws -> HTTPAnswer {
        try await call("POST", "/v1/refresh", on: .public, headers: [("Authorization", "Bearer \(token)")])
    }

    /// `GET /v1/validate` as the bearer of a token.
    package func validate(
        _ token: String, atLeast fence: String? = nil, strict: Bool = false, timeout: Duration = .seconds(10)
    ) async throws -> HTTPAnswer {
        var headers = [("Authorization", "Bearer \(token)")]
        if let fence { headers.append(("Curfew-At-Least", fence)) }
        if strict { headers.append(("Curfew-Consistency", "strict")) }
        return try await call("GET", "/v1/validate", on: .public, headers: headers, timeout: timeout)
    }

    /// `POST /v1/revoke`, whatever comes of it.
    package func revoke(
        _ target: [String: JSON], _ options: RevokeOptions = .none, timeout: Duration = .seconds(15)
    ) async throws -> HTTPAnswer {
        let body = target.merging(options.members, uniquingKeysWith: { first, _ in first })
        return try await call("POST", "/v1/revoke", body: .object(body), timeout: timeout)
    }

    /// `PUT /v1/users/{id}/permissions`, whatever comes of it.
    @discardableResult package func setPermissions(
        of user: String, to names: [String], waits: Bool = false, timeout: Duration = .seconds(10)
    ) async throws -> HTTPAnswer {
        var body: [String: JSON] = ["permissions": .array(names.map(JSON.string))]
        if waits { body["wait"] = "cluster" }
        return try await call("PUT", "/v1/users/\(user)/permissions", body: .object(body), timeout: timeout)
    }

    /// Whether `/health/ready` says 200. No answer at all is no.
    package func isReady() async -> Bool {
        let answer = try? await call("GET", "/health/ready", on: .public, timeout: .seconds(1))
        return answer?.status == 200
    }
}
