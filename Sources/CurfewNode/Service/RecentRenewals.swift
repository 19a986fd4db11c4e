// Renewals by a proxy's visitors: a browser fetches the parts of a page at once, each with the cookie of before. At one node they are one
// renewal: one write, one entry in the audit log, one use of the rate limit. Whether its session still lives is asked each time, as of any token.

import CurfewCore
import CurfewRedis
import Synchronization

final class RecentRenewals: Sendable {
    /// With more of them some tokens are renewed again.
    static let maximum = 4_096

    typealias Renewed = Result<IssuedSession, ServiceError>

    private struct Renewal {
        let task: Task<Renewed, Never>
        let begunAt: Duration
    }

    private let renewals = Mutex<[[UInt8]: Renewal]>([:])

    var count: Int { renewals.withLock(\.count) }

    /// What `renew` made for this key within the last `grace`, or is about to make; else it is begun now. A failure is nobody's but
    /// theirs who wait for it. `now`: of a clock that only goes on.
    func renewed(
        by key: [UInt8], at now: Duration, within grace: Duration, _ renew: @escaping @Sendable () async -> Renewed
    ) async -> Renewed {
        let task = renewals.withLock { renewals in
            if let known = renewals[key], now - known.begunAt < grace { return known.task }
            if renewals.count >= Self.maximum { renewals = renewals.filter { now - $0.value.begunAt < grace } }
            if renewals.count >= Self.maximum { renewals.removeAll() }
            let task = Task { await renew() }
            renewals[key] = Renewal(task: task, begunAt: now)
            return task
        }
        let result = await task.value
        if case .failure = result {
            renewals.withLock { renewals in
                if renewals[key]?.task == task { renewals[key] = nil }
            }
        }
        return result
    }
}

extension SessionService {
    /// The session of a visitor's cookie, renewed; for those that come with it at once, once.
    package func renewed(
        by token: [UInt8], from fingerprint: PresentedFingerprint
    ) async throws(ServiceError) -> IssuedSession {
        var key = sha256(token)
        if case .presented(let text?) = fingerprint { key += sha256(text) }
        return try await renewals.renewed(by: key, at: surroundings.uptime, within: configuration.refreshGrace) {
            do throws(ServiceError) {
                return .success(try await self.refresh(.token(token), from: fingerprint))
            } catch {
                return .failure(error)
            }
        }.get()
    }
}
