// Everything that ends sessions or changes what they may do, by body or the REST way: one set of options, one answer.

import CurfewCore

extension Calls {
    func revoke(_ request: CallRequest) async throws(Problem) -> Answer {
        var reader = try BodyReader(request.body)
        let target = try reader.revokeTarget()
        let options = try reader.changeOptions()
        try reader.finish()
        switch target {
        case .tenant, .everyone:
            guard request.caller?.allows(.admin) == true else {
                throw Problem(.forbidden, "this target needs the role admin")
            }
        case .session, .token, .user, .userExcept, .device: break
        }
        let wait: Duration =
            options.waitsForCluster
            ? options.timeoutMilliseconds.map { .milliseconds($0) } ?? service.driver.longestWait : .zero
        return try await idempotent(request, caller: request.idempotencyCaller, wait: wait) { _ throws(Problem) in
            try await change(target, options)
        }
    }

    func endSession(_ request: CallRequest) async throws(Problem) -> Answer {
        guard let session = SessionID.named(request.parameters[0]) else { throw Problem(.notFound) }
        return try await change(.session(session), try ChangeOptions(query: request.query))
    }

    func endSessions(_ request: CallRequest) async throws(Problem) -> Answer {
        let user = try request.user()
        let options = try ChangeOptions(query: request.query)
        guard let text = request.query["except"] else { return try await change(.user(user), options) }
        guard let session = SessionID(text) else { throw .outOfRange("except: expected a session id") }
        return try await change(.userExcept(user, session), options)
    }

    func setPermissions(_ request: CallRequest) async throws(Problem) -> Answer {
        let user = try request.user()
        var reader = try BodyReader(request.body)
        guard let permissions = try reader.permissions() else {
            throw .malformed("permissions: expected an array of strings")
        }
        let options = try reader.changeOptions()
        try reader.finish()
        let answer = try await run { () async throws(ServiceError) in
            try await service.setPermissions(of: user, to: permissions, options: options)
        }
        return Answer(answer)
    }

    private func change(_ target: RevokeTarget, _ options: ChangeOptions) async throws(Problem) -> Answer {
        Answer(try await run { () async throws(ServiceError) in try await service.revoke(target, options: options) })
    }
}

extension CallRequest {
    /// `{userId}` of the path.
    func user() throws(Problem) -> UserID {
        guard let user = UserID(parameters[0]) else {
            throw .outOfRange("userId: expected 1 to 128 bytes without control characters")
        }
        return user
    }
}

extension SessionID {
    /// Ids are opaque to callers: what looks like one but isn't names a session that doesn't exist, rather than being
    /// malformed. `nil` for what doesn't even look like one.
    static func named(_ text: String) -> SessionID? {
        if let id = SessionID(text) { return id }
        guard text.hasPrefix("ses_"), (5...64).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") })
        else { return nil }
        // Of 128 bits nobody will ever draw these: the chance is that of guessing an id.
        let bits = sha256(Array("curfew unknown session".utf8) + Array(text.utf8))
        func word(_ start: Int) -> UInt64 { bits[start..<(start + 8)].reduce(0) { $0 << 8 | UInt64($1) } }
        return SessionID(partition: Partition(0), high: word(0), low: word(8))
    }
}

private enum Wait: String, CaseIterable { case none, cluster }
private enum Durability: String, CaseIterable { case primary, replica }

extension BodyReader {
    /// Exactly one target, in one of its seven forms.
    fileprivate mutating func revokeTarget() throws(Problem) -> RevokeTarget {
        let session = try string("sessionId")
        let token = try string("token")
        let user = try identifier("userId", UserID.init)
        let except = try string("exceptSessionId")
        let device = try identifier("deviceId", DeviceID.init)
        let tenant = try identifier("tenantId", TenantID.init)
        let everyone = try flag("everyone")
        let count = [session != nil, token != nil, user != nil, tenant != nil, everyone != nil].filter { $0 }.count
        guard count == 1, except == nil || device == nil, user != nil || (except == nil && device == nil) else {
            throw .malformed(
                "expected exactly one target: sessionId; token; userId, alone, with exceptSessionId or with deviceId; "
                    + "tenantId; everyone")
        }
        if let session {
            guard let id = SessionID.named(session) else { throw .outOfRange("sessionId: expected a session id") }
            return .session(id)
        }
        if let token { return .token(token) }
        if let user {
            if let device { return .device(user, device) }
            guard let except else { return .user(user) }
            guard let id = SessionID(except) else { throw .outOfRange("exceptSessionId: expected a session id") }
            return .userExcept(user, id)
        }
        if let tenant { return .tenant(tenant) }
        guard everyone == true else { throw .outOfRange("everyone: expected true") }
        return .everyone
    }

    mutating func changeOptions(_ defaults: ChangeOptions = ChangeOptions()) throws(Problem) -> ChangeOptions {
        var options = defaults
        options.waitsForCluster = try word("wait", Wait.self) == .cluster
        options.waitsForReplica = try word("durability", Durability.self) == .replica
        options.timeoutMilliseconds = try integer("timeoutMs", in: ChangeOptions.timeoutRange)
        if let reason = try text("reason", maximumBytes: 64) { options.reason = reason }
        return options
    }
}

extension ChangeOptions {
    fileprivate static let timeoutRange: ClosedRange<Int64> = 1...60_000

    /// The same options as query parameters.
    init(query: [String: String], defaults: ChangeOptions = ChangeOptions()) throws(Problem) {
        self = defaults
        func word<Word: RawRepresentable & CaseIterable>(_ name: String, _: Word.Type) throws(Problem) -> Word?
        where Word.RawValue == String {
            guard let text = query[name] else { return nil }
            guard let word = Word(rawValue: text) else {
                throw .outOfRange("\(name): expected one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return word
        }
        waitsForCluster = try word("wait", Wait.self) == .cluster
        waitsForReplica = try word("durability", Durability.self) == .replica
        if let text = query["timeoutMs"] {
            guard let number = Int64(text), ChangeOptions.timeoutRange.contains(number) else {
                throw .outOfRange("timeoutMs: expected a whole number from 1 to 60000")
            }
            timeoutMilliseconds = number
        }
        if let text = query["reason"] {
            guard text.utf8.count <= 64, text.unicodeScalars.allSatisfy({ !$0.isControl }) else {
                throw .outOfRange("reason: expected at most 64 bytes without control characters")
            }
            reason = text
        }
    }
}

extension Answer {
    /// 200, or 202 where something is still pending.
    init(_ change: ChangeAnswer) {
        self = .json(status: change.isPending ? 202 : 200) { writer in
            writer.member("revoked", change.revoked)
            writer.member("fence", change.fence.map(\.description).joined(separator: ","))
            writer.name("propagation")
            writer.object {
                $0.member("state", change.propagation.rawValue)
                $0.member("nodes", change.nodes)
                $0.member("acknowledged", change.acknowledged)
                $0.name("elapsedMs")
                $0.raw(String((change.elapsedMilliseconds * 1000).rounded() / 1000))
            }
            if let replicas = change.replicas {
                writer.name("durability")
                writer.object { $0.member("replicas", replicas) }
            }
            if let version = change.permissionsVersion { writer.member("permissionsVersion", version) }
        }
    }
}
