// One command connection as a value: an event goes in, one action comes out, and whoever drives it does just that.
// Redis answers in order, so what waits is a queue. A missed deadline ends the connection, as nothing behind it could be
// told apart any more. Time comes in as an argument; there is at most one timer, for the earliest deadline known.

import DequeModule
import NIOCore

/// `Ticket` is whatever the driver needs to answer the caller. Each one that was taken comes back exactly once, in
/// `complete` or in `close`; a refused one was never taken.
struct ConnectionState<Ticket> {
    private struct Pending {
        var ticket: Ticket
        var operation: String
        var deadline: NIODeadline
        var expected: Int
        var replies: [RedisValue]
    }

    private enum Phase {
        case open
        case closed(reason: String)
    }

    struct Failure {
        var ticket: Ticket
        var error: RedisError
    }

    enum Action {
        case none
        /// Write the request; where `timer` is set, replace the timer by one for that time.
        case write(timer: NIODeadline?)
        /// Answer this request, which was not taken, with the error.
        case refuse(RedisError)
        case complete(Ticket, [RedisValue])
        case schedule(NIODeadline)
        /// Close the channel, cancel the timer, fail these.
        case close([Failure])
    }

    private var phase = Phase.open
    private var pending: Deque<Pending> = []
    private var timer: NIODeadline?

    /// Why the connection ended; `nil` while it is open.
    var closeReason: String? {
        switch phase {
        case .open: nil
        case .closed(let reason): reason
        }
    }

    /// A request of `count` commands, answered by as many replies.
    mutating func send(_ ticket: Ticket, operation: String, count: Int, deadline: NIODeadline) -> Action {
        precondition(count > 0, "a request without a command has no reply to wait for")
        switch phase {
        case .closed(let reason): return .refuse(.unavailable(operation: operation, reason: reason))
        case .open:
            pending.append(
                Pending(ticket: ticket, operation: operation, deadline: deadline, expected: count, replies: []))
            if let timer, timer <= deadline { return .write(timer: nil) }
            timer = deadline
            return .write(timer: deadline)
        }
    }

    /// The next reply. One that nobody waits for is what Redis says before it hangs up, or not Redis at all.
    mutating func received(_ value: RedisValue) -> Action {
        switch phase {
        case .closed: return .none
        case .open: break
        }
        if pending.isEmpty {
            if case .error(let message) = value { return close(reason: message) }
            return close(reason: "a reply that nobody asked for")
        }
        pending[0].replies.append(value)
        if pending[0].replies.count < pending[0].expected { return .none }
        let first = pending.removeFirst()
        return .complete(first.ticket, first.replies)
    }

    /// The timer fired. It may be early: the request that it was set for may long be answered.
    mutating func timerFired(now: NIODeadline) -> Action {
        switch phase {
        case .closed: return .none
        case .open: break
        }
        timer = nil
        guard let earliest = pending.lazy.map(\.deadline).min() else { return .none }
        if earliest <= now { return close(reason: "no answer in time", now: now) }
        timer = earliest
        return .schedule(earliest)
    }

    /// The driver ends the connection: it was told to, bytes made no sense, an error was caught, or the other side hung
    /// up. Only the first reason counts.
    mutating func close(reason: String) -> Action { close(reason: reason, now: nil) }

    /// Those whose deadline is over at `now` time out, the others are closed.
    private mutating func close(reason: String, now: NIODeadline?) -> Action {
        switch phase {
        case .closed: return .none
        case .open: break
        }
        phase = .closed(reason: reason)
        timer = nil
        let failures = pending.map { request in
            let isLate = now.map { request.deadline <= $0 } ?? false
            return Failure(
                ticket: request.ticket,
                error: isLate
                    ? .timeout(operation: request.operation)
                    : .closed(operation: request.operation, reason: reason))
        }
        pending = []
        return .close(failures)
    }
}

extension ConnectionState.Failure: Sendable where Ticket: Sendable {}
extension ConnectionState.Action: Sendable where Ticket: Sendable {}
extension ConnectionState.Failure: Equatable where Ticket: Equatable {}
extension ConnectionState.Action: Equatable where Ticket: Equatable {}
