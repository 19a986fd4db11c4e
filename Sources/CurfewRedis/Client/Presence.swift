// Whether a client has a connection, which one, and if not, why not: one value behind a lock, looked up by every call.
// Waiters are resumed after the lock is released.

import Synchronization

final class Presence: Sendable {
    private typealias Waiter = CheckedContinuation<Result<Void, RedisError>, Never>

    private struct State {
        var connection: (any RedisLink)?
        var reason = "not connected yet"
        var isStopped = false
        var connectionsMade: UInt64 = 0
        var generation: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
        var waitersMade: UInt64 = 0
    }

    /// Callers of `wait` at one time; more fail at once with `.overloaded`.
    static let maximumWaiters = 1000

    private let state = Mutex(State())

    var generation: UInt64 { state.withLock { $0.generation } }

    /// Why there is no connection, or why there was none before this one.
    var reason: String { state.withLock { $0.reason } }

    func nextGeneration() -> UInt64 {
        state.withLock { state in
            state.connectionsMade += 1
            return state.connectionsMade
        }
    }

    func connection(for operation: String) throws(RedisError) -> any RedisLink {
        try state.withLock { state throws(RedisError) -> any RedisLink in
            if let connection = state.connection { return connection }
            throw .unavailable(operation: operation, reason: state.reason)
        }
    }

    func here(_ connection: any RedisLink) {
        let waiters = state.withLock { state in
            state.connection = connection
            state.generation = connection.generation
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume(returning: .success(())) }
    }

    func away(reason: String) {
        state.withLock { state in
            state.connection = nil
            state.reason = reason
        }
    }

    func stop() {
        let waiters = state.withLock { state in
            state.connection = nil
            state.reason = "stopped"
            state.isStopped = true
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume(returning: .failure(Self.unavailable("stopped"))) }
    }

    func wait(timeout: Duration, in surroundings: any Surroundings) async throws(RedisError) {
        try await withCheckedContinuation { waiter in
            let answer: Result<Void, RedisError>? = state.withLock { state in
                if state.connection != nil { return .success(()) }
                if state.isStopped { return .failure(Self.unavailable(state.reason)) }
                if state.waiters.count >= Self.maximumWaiters { return .failure(.overloaded(operation: "connect")) }
                state.waitersMade += 1
                let number = state.waitersMade
                state.waiters[number] = waiter
                surroundings.schedule(in: timeout) { self.giveUp(number) }
                return nil
            }
            if let answer { waiter.resume(returning: answer) }
        }.get()
    }

    private func giveUp(_ number: UInt64) {
        let (waiter, reason) = state.withLock { ($0.waiters.removeValue(forKey: number), $0.reason) }
        waiter?.resume(returning: .failure(Self.unavailable(reason)))
    }

    private static func unavailable(_ reason: String) -> RedisError {
        .unavailable(operation: "connect", reason: reason)
    }
}
