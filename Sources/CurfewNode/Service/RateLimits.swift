// Rate limits: one small script counts a call before it does anything, where its user's or session's keys are. Redis' clock and one
// counter for all nodes: the limit holds for the cluster, however the calls are spread. Without Redis nothing is let through.

import CurfewCore
import CurfewRedis

extension SessionService {
    /// Counts a login of the user. Throws `rateLimited`, and nothing was written then.
    func countIssue(of user: UserID, in partition: Partition) async throws(ServiceError) {
        guard let limit = configuration.rateLimitIssue else { return }
        try await countCall(.issue, limit, keys.issueLimit(user, in: partition), in: partition)
    }

    /// Counts a refresh of the session, whatever comes of it: one that the grace lets through again is one, too.
    func countRefresh(of session: SessionID) async throws(ServiceError) {
        guard let limit = configuration.rateLimitRefresh else { return }
        try await countCall(.refresh, limit, keys.refreshLimit(session), in: session.partition)
    }

    private func countCall(
        _ policy: RateLimitExcess.Policy, _ limit: RateLimit, _ key: String, in partition: Partition
    ) async throws(ServiceError) {
        let reply = try await counted(limit, key, in: partition)
        guard !reply.isCounted else { return }
        throw .rateLimited(RateLimitExcess(policy: policy, limit: limit, retryAfterSeconds: reply.waitSeconds))
    }

    /// One more under this key, where there is room for it; or only how many there are.
    func counted(
        _ limit: RateLimit, _ key: String, in partition: Partition, onlyLooks: Bool = false
    ) async throws(ServiceError) -> LimitReply {
        let name = onlyLooks ? "" : callName()
        return try await send(to: partition) { followed throws(RedisError) in
            let call = driver.calls.limit(key, limit, name: name, in: partition, driver.known(partition))
            return try LimitReply(try await followed.link.run(call))
        }
    }

    /// One that no other call has.
    private func callName() -> String {
        String(surroundings.random(), radix: 36) + String(surroundings.random(), radix: 36)
    }

    /// What the script that writes a login holds it to. Past a limit it does nothing; but what has left the window is still counted there.
    func limits(of request: IssueRequest) -> LoginLimits {
        LoginLimits(
            maximumFailures: request.isAfterLockout ? nil : configuration.failureLimitOfUser?.count,
            logins: configuration.rateLimitIssue, name: callName())
    }
}

/// ARGV[26…29] of issue.lua.
package struct LoginLimits: Sendable {
    var maximumFailures: Int?
    /// `nil` where this login is not counted.
    var logins: RateLimit?
    /// Of this login; no other has it.
    var name = ""

    package init() {}

    init(maximumFailures: Int?, logins: RateLimit?, name: String) {
        (self.maximumFailures, self.logins, self.name) = (maximumFailures, logins, name)
    }
}
