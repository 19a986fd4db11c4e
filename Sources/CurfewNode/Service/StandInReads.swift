// Reads of Redis that stand in for freshness, one a session at a time: callers join a read that is under way, as long as it
// was sent no longer than Δ ago. What a read says is good for Δ from its sending, like a poll.
//
// 1. A read of session S is sent. 2. S is revoked, and the revoke returns (this node acknowledged, or was waited out).
// 3. The read's answer, older than the revoke, arrives. So whoever uses it looks into memory again, and at its age.

import CurfewCore
import CurfewRedis
import Synchronization

package final class StandInReads: Sendable {
    /// One read and what it proves.
    struct Answer: Sendable {
        let reply: ReadReply
        let sentAt: BootTime
        /// The node's clock before it was sent; no poll may have compared it with Redis'.
        let wallBefore: WallTime
    }
    private typealias Waiter = CheckedContinuation<Result<Answer, ServiceError>?, Never>
    private struct Flight: Sendable {
        let sentAt: BootTime
        var waiters: [Waiter] = []
    }
    private struct State: Sendable {
        var flights: [SessionID: Flight] = [:]
        var callers = 0
    }

    /// Callers that wait for a read. Past it they are refused at once.
    static let maximumCallers = 10_000
    private let driver: FeedDriver
    private let state = Mutex(State())

    init(driver: FeedDriver) { self.driver = driver }

    /// Reads what Redis says of this session now, or joins a read that says it. `joins: false` for who must see
    /// everything that was written before the call.
    func read(_ claims: Claims, joins: Bool) async throws(ServiceError) -> Answer {
        guard enter() else { throw .overloaded(detail: "too many reads of Redis are waiting") }
        defer { state.withLock { $0.callers -= 1 } }
        guard joins else { return try await send(claims, at: driver.clock.boot()).get() }
        let now = driver.clock.boot()
        if let joined = await join(claims.session, at: now) { return try joined.get() }
        return try await fly(claims, now).get()
    }

    private func enter() -> Bool {
        state.withLock { state in
            guard state.callers < Self.maximumCallers else { return false }
            state.callers += 1
            return true
        }
    }

    private func fly(_ claims: Claims, _ sentAt: BootTime) async -> Result<Answer, ServiceError> {
        let result = await send(claims, at: sentAt)
        let waiters = state.withLock { state in
            guard let flight = state.flights[claims.session], flight.sentAt == sentAt else {
                return [Waiter]()
            }
            state.flights[claims.session] = nil
            return flight.waiters
        }
        for waiter in waiters { waiter.resume(returning: result) }
        return result
    }

    /// Waits for the read that is under way; `nil` where there is none young enough, and this caller now is the one to send.
    private func join(_ session: SessionID, at now: BootTime) async -> Result<Answer, ServiceError>? {
        await withCheckedContinuation { (continuation: CheckedContinuation<Result<Answer, ServiceError>?, Never>) in
            let (isWaiting, abandoned) = state.withLock { state -> (Bool, [Waiter]) in
                if let flight = state.flights[session], now - flight.sentAt <= driver.bounds.staleness {
                    state.flights[session]?.waiters.append(continuation)
                    return (true, [])
                }
                let abandoned = state.flights[session]?.waiters ?? []
                state.flights[session] = Flight(sentAt: now)
                return (false, abandoned)
            }
            for waiter in abandoned {
                waiter.resume(returning: .failure(.stale(detail: "a read of Redis took too long")))
            }
            if !isWaiting { continuation.resume(returning: nil) }
        }
    }

    private func send(_ claims: Claims, at sentAt: BootTime) async -> Result<Answer, ServiceError> {
        let partition = claims.session.partition
        let call = driver.calls.read(
            claims.session, user: claims.user, tenant: claims.tenant, driver.known(partition))
        do throws(RedisError) {
            let followed = try driver.link(of: partition, for: "read")
            let id = followed.id
            let wallBefore = driver.clock.wall()
            let replies = try await followed.link.evaluateAll(
                [call], then: [Primary.askReign, WriteProbe.command(driver.calls.keys, partition)],
                timeout: min(driver.bounds.staleness, driver.redisTimeout))
            guard replies.count == 3 else { throw .unexpectedReply(operation: "read", expected: "three replies") }
            let reply = try ReadReply(replies[0])
            try WriteProbe.verify(replies[2])
            let isSameReign = followed.primary.isSameReign(replies[1...1], over: id, in: partition)
            let isSameTerm = driver.table.withPartition(partition) { slot in
                slot.feed.phase == .following && slot.feed.connection == id
                    && slot.feed.term?.incarnation == reply.incarnation
            }
            guard isSameReign, isSameTerm else {
                driver.requestPoll(partition)
                return .failure(.stale(detail: "Redis changed while it was read"))
            }
            return .success(Answer(reply: reply, sentAt: sentAt, wallBefore: wallBefore))
        } catch {
            return .failure(ServiceError(error))
        }
    }
}
