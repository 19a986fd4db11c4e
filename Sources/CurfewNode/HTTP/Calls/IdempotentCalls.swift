// `Idempotency-Key`: the same key gives the same answer, on any node, for ten minutes. Of the answer, 2xx and 4xx, everything is kept but
// the fields that every answer has. A 202 is not: it says that the work is not complete.

import CurfewCore
import HTTPTypes

extension Calls {
    /// Does the work once for a key, and without one each time. `caller`: whose key it is, already known to be somebody; `wait`: how much
    /// longer than a write it may take; `keepsRefusals`: a 4xx is an answer like any other; `mayRepeat`: throws where this caller must not
    /// have an answer that was kept.
    func idempotent(
        _ request: CallRequest, caller: String, wait: Duration = .zero, keepsRefusals: Bool = true,
        mayRepeat: () async throws(Problem) -> Void = {}, _ work: (IdempotentWork?) async throws(Problem) -> Answer
    ) async throws(Problem) -> Answer {
        guard let key = try request.idempotencyKey() else { return try await work(nil) }
        let call = IdempotentCall(
            call: request.route.call.rawValue, caller: caller, key: key, body: request.bodysMeaning,
            lease: service.configuration.redisTimeout * 6 + .seconds(1) + wait, service)
        let claim = try await run { () async throws(ServiceError) in try await service.claim(call) }
        switch claim {
        case .done(let bytes):
            try await mayRepeat()
            guard let answer = Answer(kept: bytes) else { throw Problem(.internalError, "a kept answer can't be read") }
            return answer
        case .work(let attempt):
            do throws(Problem) {
                let answer = try await work(attempt)
                // One that is not complete (202) is completed by the next.
                await service.settle(call, attempt, answer.status == 202 ? nil : answer.kept)
                return answer
            } catch {
                // One that came too early may be made again, with the same key.
                let isKept = keepsRefusals && error.code.status < 500 && error.code != .rateLimited
                await service.settle(call, attempt, isKept ? Answer(error).kept : nil)
                throw error
            }
        }
    }
}

extension CallRequest {
    fileprivate func idempotencyKey() throws(Problem) -> String? {
        let keys = values("idempotency-key")
        guard let key = keys.first else { return nil }
        guard keys.count == 1, (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw .malformed("Idempotency-Key: expected one key of 1 to 255 printable ASCII characters without spaces")
        }
        return key
    }

    /// The body with the members of its objects in order of their names and without blanks: who repeats a call may well write them in
    /// another order. What is no JSON is taken as it is.
    fileprivate var bodysMeaning: [UInt8] {
        guard let value = body.withUnsafeBytes({ bytes in try? JSONParser.parse(bytes) }) else { return body }
        var writer = JSONWriter()
        writer.value(value.inOrder)
        return writer.bytes
    }

    /// The caller of the admin listener, as the owner of a key.
    var idempotencyCaller: String { "key \(caller?.name ?? "")" }
}

extension Answer {
    /// Status, fields and body, as lines.
    fileprivate var kept: [UInt8] {
        let head = [String(status)] + fields.map { "\($0.name): \($0.value)" } + [""]
        return Array((head.joined(separator: "\n") + "\n").utf8) + body
    }

    fileprivate init?(kept bytes: [UInt8]) {
        var rest = bytes[...]
        func line() -> String? {
            guard let end = rest.firstIndex(of: .lineFeed) else { return nil }
            defer { rest = rest[(end + 1)...] }
            return String(decoding: rest[..<end], as: UTF8.self)
        }
        guard let status = line().flatMap({ Int($0) }) else { return nil }
        var fields: [(name: String, value: String)] = []
        while let field = line(), !field.isEmpty {
            guard let colon = field.firstIndex(of: ":") else { return nil }
            fields.append((String(field[..<colon]), String(field[field.index(colon, offsetBy: 2)...])))
        }
        self.init(status: status, body: Array(rest))
        self.fields = fields
    }
}

extension JSONValue {
    /// The members of each object in order of their names.
    fileprivate var inOrder: JSONValue {
        switch self {
        case .array(let elements): .array(elements.map(\.inOrder))
        case .object(let members):
            .object(members.map { JSONMember($0.name, $0.value.inOrder) }.sorted { $0.name < $1.name })
        default: self
        }
    }
}
