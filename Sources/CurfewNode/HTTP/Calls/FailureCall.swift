// Failed logins, which only the application sees.

import CurfewCore

extension Calls {
    func reportFailure(_ request: CallRequest) async throws(Problem) -> Answer {
        var reader = try BodyReader(request.body)
        var failure = AuthenticationFailure()
        failure.user = try reader.identifier("userId", UserID.init)
        failure.ipAddress = try reader.text("ipAddress", maximumBytes: 64)
        guard failure.ipAddress.map({ NetworkAddress.bytes(of: $0) != nil }) ?? true else {
            throw .outOfRange("ipAddress: expected an IP address such as 203.0.113.9 or 2001:db8::1, without a port")
        }
        failure.device = try reader.identifier("deviceId", DeviceID.init)
        failure.userAgent = try reader.text("userAgent", maximumBytes: 512)
        try reader.finish()
        guard failure.user != nil || failure.ipAddress != nil else {
            throw .malformed("userId, ipAddress: expected at least one of them")
        }
        let failures = try await run { [failure] () async throws(ServiceError) in try await service.report(failure) }
        return .json {
            $0.member("failures", failures.count)
            $0.member("locked", failures.isLocked)
            $0.member("retryAfterSeconds", failures.retryAfterSeconds)
        }
    }
}
