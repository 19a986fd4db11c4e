// Issue: the request's fields and their bounds. (The answer is that of refresh, too.)

import CurfewCore

extension Calls {
    func issue(_ request: CallRequest) async throws(Problem) -> Answer {
        let wanted = try IssueRequest(json: request.body)
        return try await idempotent(request, caller: request.idempotencyCaller) { attempt throws(Problem) in
            var wanted = wanted
            wanted.drawn = attempt?.drawn
            let issued = try await run { () async throws(ServiceError) in try await service.issue(wanted) }
            return answer(issued, status: 201)
        }
    }
}

extension IssueRequest {
    /// Every field has its bound here; the service takes them as they are.
    init(json: [UInt8]) throws(Problem) {
        var reader = try BodyReader(json)
        guard let user = try reader.identifier("userId", UserID.init) else {
            throw .malformed("userId: expected a string")
        }
        self.init(user: user)
        device = try reader.identifier("deviceId", DeviceID.init)
        tenant = try reader.identifier("tenantId", TenantID.init)
        fingerprint = try reader.text("fingerprint", maximumBytes: KeyRing.maximumFingerprintBytes)
        // A header field has none (RFC 9110 section 5.5).
        guard fingerprint.map({ Substring($0).trimmingBlanks == $0 }) ?? true else {
            throw .outOfRange("fingerprint: expected a text without blanks at its ends")
        }
        state = try reader.string("state")
        replaces = try reader.replacedSession()
        kind = try reader.word("kind", SessionKind.self) ?? .web
        permissions = try reader.permissions() ?? .none
        details.ipAddress = try reader.text("ipAddress", maximumBytes: 64)
        details.location = try reader.text("location", maximumBytes: 128)
        details.userAgent = try reader.text("userAgent", maximumBytes: 512)
        details.attributesJSON = try reader.objectText("attributes", maximumBytes: 4 * 1024)
        details.authMethods = try reader.authMethods() ?? []
        isAfterLockout = try reader.flag("afterLockout") ?? false
        if var device = try reader.object("device") {
            details.deviceName = try device.text("name", maximumBytes: 128)
            details.devicePlatform = try device.text("platform", maximumBytes: 128)
            try device.finish()
        }
        details.devicePlatform = details.devicePlatform ?? details.userAgent.flatMap { Platform.named(inUserAgent: $0) }
        try reader.finish()
    }
}

extension BodyReader {
    /// `nil` where there are none said.
    mutating func authMethods() throws(Problem) -> [String]? {
        func isName(_ name: String) -> Bool {
            (1...32).contains(name.utf8.count)
                && name.utf8.allSatisfy {
                    $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                }
        }
        let names = try strings("authMethods", maximumCount: 16)
        guard names?.allSatisfy(isName) ?? true else {
            throw .outOfRange("authMethods: expected names of 1 to 32 letters, digits, - or _")
        }
        return names
    }

    /// A session id or a token. A browser sends whatever cookie it has: what is no id is taken as a token, good or not.
    fileprivate mutating func replacedSession() throws(Problem) -> ReplacedSession? {
        guard let text = try string("replaces") else { return nil }
        guard text.hasPrefix("ses_") else { return .token(text) }
        guard let id = SessionID(text) else { throw .outOfRange("replaces: expected a session id or a token") }
        return .session(id)
    }

    /// `nil` where there are none said.
    mutating func permissions() throws(Problem) -> Permissions? {
        guard let names = try strings("permissions", maximumCount: Permissions.maximumCount) else { return nil }
        guard let permissions = Permissions(names) else {
            throw .outOfRange(
                "permissions: expected 1 to 128 printable ASCII bytes each, without space, comma, quote or backslash")
        }
        return permissions
    }
}
