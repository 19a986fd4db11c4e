// Failed logins, as the application reports them: counted for the whole cluster, and past the limit of a user or an address no session is
// issued until a failure leaves the window. A failure past the limit is not counted: who goes on guessing does not lock the user out for longer.

import CurfewCore
import CurfewRedis

/// One failed login; a user or an address, or both.
package struct AuthenticationFailure: Sendable {
    package var user: UserID?
    package var ipAddress: String?
    package var device: DeviceID?
    package var userAgent: String?

    package init() {}
}

/// How many there are, of the user where one is named, else from the address.
package struct AuthenticationFailures: Sendable, Equatable {
    package var count: UInt64
    /// Until the next login may be; 0 where it may at once.
    package var retryAfterSeconds: Int64

    package var isLocked: Bool { retryAfterSeconds > 0 }
}

extension SessionService {
    package func report(_ failure: AuthenticationFailure) async throws(ServiceError) -> AuthenticationFailures {
        // Before the failure that completes a burst is counted, and again behind it. It completes one only once: where Redis is lost between the
        // two, nobody would end what there is. And a login that came in between was not locked out yet.
        let endsByBurst = configuration.revokingSignals.contains(.authenticationBurst)
        if endsByBurst, let user = failure.user, try await isNextTheLast(of: user) { try await endByBurst(user) }
        let ofUser = try await count(failure.user, configuration.failureLimitOfUser)
        let fromAddress = try await count(failure.ipAddress, configuration.failureLimitFromAddress)
        var entry = AuditEntry(.authenticationFailed, at: clock.wall())
        (entry.user, entry.device) = (failure.user, failure.device)
        (entry.ipAddress, entry.userAgent) = (failure.ipAddress, failure.userAgent)
        record(entry)
        // The one that reached a limit.
        if [ofUser, fromAddress].contains(where: { $0?.reachesLimit == true }) {
            (entry.event, entry.signal) = (.sessionSuspicious, .authenticationBurst)
            record(entry)
            // Not of the user whom somebody named last from an address that had too many.
            if endsByBurst, let user = failure.user, ofUser?.reachesLimit == true { try await endByBurst(user) }
        }
        let told = failure.user == nil ? fromAddress : ofUser
        return AuthenticationFailures(count: told?.count ?? 0, retryAfterSeconds: told?.waitSeconds ?? 0)
    }

    private func isNextTheLast(of user: UserID) async throws(ServiceError) -> Bool {
        guard let limit = configuration.failureLimitOfUser else { return false }
        let partition = count.partition(ofUser: user.text.utf8)
        let key = keys.failures(of: user, in: partition)
        return try await looked(limit, key, in: partition).count == UInt64(limit.count - 1)
    }

    private func endByBurst(_ user: UserID) async throws(ServiceError) {
        var options = ChangeOptions()
        options.reason = AuditEntry.Signal.authenticationBurst.rawValue
        _ = try await revoke(.user(user), options: options)
    }

    private func count(_ user: UserID?, _ limit: RateLimit?) async throws(ServiceError) -> LimitReply? {
        guard let user, let limit else { return nil }
        let partition = count.partition(ofUser: user.text.utf8)
        return try await counted(limit, keys.failures(of: user, in: partition), in: partition)
    }

    private func count(_ address: String?, _ limit: RateLimit?) async throws(ServiceError) -> LimitReply? {
        guard let limit, let (key, partition) = address.flatMap(place) else { return nil }
        return try await counted(limit, key, in: partition)
    }

    /// Throws `rateLimited` where the user had too many.
    func refuseLockedOut(_ request: IssueRequest, in partition: Partition) async throws(ServiceError) {
        guard !request.isAfterLockout, let limit = configuration.failureLimitOfUser else { return }
        let key = keys.failures(of: request.user, in: partition)
        try refuse(.failuresOfUser, limit, try await looked(limit, key, in: partition))
    }

    /// Throws `rateLimited` where the address that the request names had too many.
    func refuseLockedOutAddress(of request: IssueRequest) async throws(ServiceError) {
        guard !request.isAfterLockout, let limit = configuration.failureLimitFromAddress,
            let (key, partition) = request.details.ipAddress.flatMap(place)
        else { return }
        let noted = try await send(to: partition) { followed throws(RedisError) in
            let count = RedisCommand("ZCARD", [RedisArgument(key)])
            let replies = try await followed.link.pipeline([count, WriteProbe.command(keys, partition)], timeout: nil)
            guard replies.count == 2 else { throw .unexpectedReply(operation: "ZCARD", expected: "two replies") }
            let noted = try replies[0].checked(for: "ZCARD").integer(for: "ZCARD")
            // A primary that may not write does not know the latest. (Nothing has run: a redirect may be followed.)
            _ = try replies[1].checked(for: "write probe")
            return noted
        }
        // Those that have left the window are still there.
        guard noted >= limit.count else { return }
        try refuse(.failuresFromAddress, limit, try await looked(limit, key, in: partition))
    }

    /// Where an address is counted; `nil` for what is none.
    private func place(of address: String) -> (key: String, partition: Partition)? {
        guard let text = NetworkAddress.counted(address) else { return nil }
        let partition = count.partition(ofUser: text.utf8)
        return (keys.failures(from: text, in: partition), partition)
    }
}
