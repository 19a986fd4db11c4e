// Rate limits: one small script counts a call before it does anything, where its user's or session's keys are; a login is counted by the
// script that writes it, where nothing stands against that. Redis' clock and one counter for all nodes: the limit holds for the cluster, however
// the calls are spread. Without Redis nothing is let through.

import CurfewCore
import CurfewRedis

extension SessionService {
    /// Counts a login of the user under this name. Throws `rateLimited`, and nothing was written then.
    func countIssue(of user: UserID, _ name: String, in partition: Partition) async throws(ServiceError) {
        guard let limit = configuration.rateLimitIssue else { return }
        try await countCall(.issue, limit, keys.issueLimit(user, in: partition), name, in: partition)
    }

    /// Counts a refresh of the session, whatever comes of it: one that the grace lets through again is one, too.
    func countRefresh(of session: SessionID) async throws(ServiceError) {
        guard let limit = configuration.rateLimitRefresh else { return }
        try await countCall(.refresh, limit, keys.refreshLimit(session), nil, in: session.partition)
    }

    private func countCall(
        _ policy: RateLimitExcess.Policy, _ limit: RateLimit, _ key: String, _ name: String?, in partition: Partition
    ) async throws(ServiceError) {
        let reply = try await counted(limit, key, name, in: partition)
        guard !reply.isCounted else { return }
        throw .rateLimited(RateLimitExcess(policy: policy, limit: limit, retryAfterSeconds: reply.waitSeconds))
    }

    /// One more under this key, where there is room for it. `name`: one that no other call has.
    func counted(
        _ limit: RateLimit, _ key: String, _ name: String? = nil, in partition: Partition
    ) async throws(ServiceError) -> LimitReply {
        try await ask(limit, key, name ?? callName(), in: partition)
    }

    /// Only how many there are.
    func looked(
        _ limit: RateLimit, _ key: String, in partition: Partition
    ) async throws(ServiceError) -> LimitReply {
        try await ask(limit, key, "", in: partition)
    }

    /// Throws `rateLimited` where a look says that there is no room.
    func refuse(
        _ policy: RateLimitExcess.Policy, _ limit: RateLimit, _ look: LimitReply
    ) throws(ServiceError) {
        guard look.waitMilliseconds > 0 else { return }
        throw .rateLimited(RateLimitExcess(policy: policy, limit: limit, retryAfterSeconds: look.waitSeconds))
    }

    private func ask(
        _ limit: RateLimit, _ key: String, _ name: String, in partition: Partition
    ) async throws(ServiceError) -> LimitReply {
        try await send(to: partition) { followed throws(RedisError) in
            let call = driver.calls.limit(key, limit, name: name, in: partition, driver.known(partition))
            return try LimitReply(try await followed.link.run(call))
        }
    }

    /// One that no other call has.
    private func callName() -> String {
        String(surroundings.random(), radix: 36) + String(surroundings.random(), radix: 36)
    }

    /// What the script that writes a login holds it to. Where something is done before that, it is counted here and now, for nothing may
    /// refuse it any more; and where much is read before, nothing is read for a user who has no room.
    func reserve(_ request: IssueRequest, in partition: Partition) async throws(ServiceError) -> LoginLimits {
        var limits = LoginLimits(
            maximumFailures: request.isAfterLockout ? nil : configuration.failureLimitOfUser?.count,
            logins: configuration.rateLimitIssue, name: callName())
        let isCountedFirst = request.state != nil || request.replaces != nil
        guard isCountedFirst || configuration.sessionLimit != nil else { return limits }
        try await refuseLockedOut(request, in: partition)
        if isCountedFirst {
            try await countIssue(of: request.user, limits.name, in: partition)
            limits.isCounted = true
        } else if let limit = limits.logins {
            let key = keys.issueLimit(request.user, in: partition)
            try refuse(.issue, limit, try await looked(limit, key, in: partition))
        }
        return limits
    }

    /// Takes back what was counted of a login that became none. Where it may have become one it counts.
    func unreserve(
        _ error: ServiceError, _ limits: LoginLimits, _ user: UserID, in partition: Partition
    ) async {
        switch error {
        case .conflict, .sessionLimitReached: break
        case .notFound, .rateLimited, .preconditionFailed, .tokenRefused, .outOfRange, .malformed, .stale,
            .redisUnavailable, .overloaded:
            return
        }
        let call = RedisCommand(
            "ZREM", [RedisArgument(keys.issueLimit(user, in: partition)), RedisArgument(limits.name)])
        _ = try? await driver.primary(of: partition)?.client.send(call)
    }
}

/// ARGV[26…29] of issue.lua.
package struct LoginLimits: Sendable {
    var maximumFailures: Int?
    var logins: RateLimit?
    /// Of this login; no other has it.
    var name = ""
    /// Under that name, before the script: not there, then.
    var isCounted = false

    package init() {}

    init(maximumFailures: Int?, logins: RateLimit?, name: String) {
        (self.maximumFailures, self.logins, self.name) = (maximumFailures, logins, name)
    }

    var maximumLogins: Int? { isCounted ? nil : logins?.count }
}
