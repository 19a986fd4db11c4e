// Login states: made before a login leaves the application, consumed when it comes back.

import CurfewCore

extension Calls {
    private static let defaultStateLifetime = Duration.seconds(600)

    func makeState(_ request: CallRequest) async throws(Problem) -> Answer {
        var lifetime = Calls.defaultStateLifetime
        var data = "{}"
        if !request.body.isEmpty {
            var reader = try BodyReader(request.body)
            if let text = try reader.string("ttl") {
                guard let given = Duration(setting: text), given >= .seconds(1), given <= service.maximumStateLifetime
                else {
                    throw .outOfRange(
                        "ttl: expected a duration from 1s to \(service.maximumStateLifetime.settingText), such as 10m")
                }
                lifetime = given
            }
            data = try reader.objectText("data", maximumBytes: 4 * 1024) ?? data
            try reader.finish()
        }
        lifetime = min(lifetime, service.maximumStateLifetime)
        let state = try await run { [lifetime, data] () async throws(ServiceError) in
            try await service.makeState(lifetime: lifetime, dataJSON: data)
        }
        return .json(status: 201) {
            $0.member("state", state.text)
            $0.member("expiresAt", state.expiresAt.rfc3339)
        }
    }

    func consumeState(_ request: CallRequest) async throws(Problem) -> Answer {
        var reader = try BodyReader(request.body)
        guard let text = try reader.string("state") else { throw .malformed("state: expected a string") }
        try reader.finish()
        let data = try await run { () async throws(ServiceError) in try await service.consumeState(text) }
        return .json {
            $0.name("data")
            $0.raw(data)
        }
    }
}
