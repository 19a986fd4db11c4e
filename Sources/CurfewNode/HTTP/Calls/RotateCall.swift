// Rotate: the body's fields, all of them optional. (The answer is that of issue.)

import CurfewCore

extension Calls {
    func rotateSession(_ request: CallRequest) async throws(Problem) -> Answer {
        guard let session = SessionID(request.parameters[0]) else { throw Problem(.notFound) }
        let wanted = try rotateRequest(request.body)
        let caller = "\(request.idempotencyCaller) \(session)"
        return try await idempotent(request, caller: caller) { attempt throws(Problem) in
            var wanted = wanted
            wanted.drawn = attempt?.drawn.low
            let rotated = try await run { [wanted] () async throws(ServiceError) in
                try await service.rotate(session, wanted)
            }
            return answer(rotated, status: 200)
        }
    }

    private func rotateRequest(_ body: [UInt8]) throws(Problem) -> RotateRequest {
        var wanted = RotateRequest()
        guard !body.isEmpty else { return wanted }
        var reader = try BodyReader(body)
        if let text = try reader.string("grace") {
            guard let grace = Duration(setting: text), grace >= .zero, grace <= NodeConfiguration.longestGrace else {
                throw .outOfRange(
                    "grace: expected a duration from 0s to \(NodeConfiguration.longestGrace.settingText), such as 10s")
            }
            wanted.grace = grace
        }
        if let text = try reader.string("authenticatedAt") {
            // A caller's clock may be ahead of this node's by as much as is borne elsewhere.
            let latest = WallTime(seconds: service.clock.wall().seconds + ClockSkew.boundSeconds)
            guard let time = WallTime(rfc3339: text), time <= latest else {
                throw .outOfRange(
                    "authenticatedAt: expected a time that has passed, in UTC with whole seconds, such as "
                        + "2026-01-31T09:30:00Z")
            }
            wanted.authenticatedAt = time
        }
        wanted.permissions = try reader.permissions()
        wanted.authMethods = try reader.authMethods()
        try reader.finish()
        return wanted
    }
}
