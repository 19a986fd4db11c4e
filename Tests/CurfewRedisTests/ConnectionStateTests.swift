// The command connection as a value: each state with each event, and what may follow.

import NIOCore
import TestSupport
import Testing

@testable import CurfewRedis

@Suite struct ConnectionStateTests {
    typealias State = ConnectionState<Int>

    static func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000) + .seconds(seconds) }

    /// Open with these requests under way: (ticket, replies wanted, deadline in seconds).
    static func open(_ requests: (Int, Int, Int64)...) -> State {
        var state = State()
        for (ticket, count, deadline) in requests {
            _ = state.send(ticket, operation: "OP\(ticket)", count: count, deadline: at(deadline))
        }
        return state
    }

    static func closed() -> State {
        var state = State()
        _ = state.close(reason: "gone")
        return state
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var state: @Sendable () -> State
        var event: @Sendable (inout State) -> State.Action
        var action: State.Action
        var closeReason: String?

        init(
            _ name: String, _ state: @autoclosure @escaping @Sendable () -> State,
            _ event: @escaping @Sendable (inout State) -> State.Action, _ action: State.Action, closed: String? = nil
        ) {
            testDescription = name
            self.state = state
            self.event = event
            self.action = action
            closeReason = closed
        }
    }

    static let rows: [Row] = [
        // Send.
        Row("idle, send", open(), { $0.send(1, operation: "A", count: 1, deadline: at(2)) }, .write(timer: at(2))),
        Row(
            "waiting, send with a later deadline", open((1, 1, 2)),
            { $0.send(2, operation: "B", count: 1, deadline: at(3)) }, .write(timer: nil)),
        Row(
            "waiting, send with the same deadline", open((1, 1, 2)),
            { $0.send(2, operation: "B", count: 1, deadline: at(2)) }, .write(timer: nil)),
        Row(
            "waiting, send with an earlier deadline", open((1, 1, 5)),
            { $0.send(2, operation: "B", count: 1, deadline: at(1)) }, .write(timer: at(1))),
        Row(
            "closed, send", closed(), { $0.send(1, operation: "A", count: 1, deadline: at(2)) },
            .refuse(.unavailable(operation: "A", reason: "gone")), closed: "gone"),
        // Received.
        Row("one waits, its reply", open((1, 1, 2)), { $0.received(.integer(7)) }, .complete(1, [.integer(7)])),
        Row("a pipeline waits, its first reply", open((1, 2, 2)), { $0.received(.null) }, .none),
        Row(
            "a pipeline waits, its last reply", open((1, 2, 2)),
            { state in
                _ = state.received(.integer(1))
                return state.received(.error("ERR x"))
            }, .complete(1, [.integer(1), .error("ERR x")])),
        Row(
            "two wait, a reply is the first one's", open((1, 1, 2), (2, 1, 2)), { $0.received(.null) },
            .complete(1, [.null])),
        Row(
            "nobody waits, a reply", open(), { $0.received(.status("OK")) }, .close([]),
            closed: "a reply that nobody asked for"),
        Row(
            "nobody waits, an error", open(), { $0.received(.error("ERR max number of clients reached")) }, .close([]),
            closed: "ERR max number of clients reached"),
        Row("closed, a reply", closed(), { $0.received(.null) }, .none, closed: "gone"),
        // Timer.
        Row("idle, timer", open(), { $0.timerFired(now: at(2)) }, .none),
        Row("waiting, timer too early", open((1, 1, 2)), { $0.timerFired(now: at(1)) }, .schedule(at(2))),
        Row(
            "the one it was set for is answered, timer", open((1, 1, 2), (2, 1, 3)),
            { state in
                _ = state.received(.null)
                return state.timerFired(now: at(2))
            }, .schedule(at(3))),
        Row(
            "late, timer", open((1, 1, 2), (2, 1, 3)), { $0.timerFired(now: at(2)) },
            .close([
                .init(ticket: 1, error: .timeout(operation: "OP1")),
                .init(ticket: 2, error: .closed(operation: "OP2", reason: "no answer in time")),
            ]), closed: "no answer in time"),
        Row(
            "the second is late, timer", open((1, 1, 9), (2, 1, 1)), { $0.timerFired(now: at(1)) },
            .close([
                .init(ticket: 1, error: .closed(operation: "OP1", reason: "no answer in time")),
                .init(ticket: 2, error: .timeout(operation: "OP2")),
            ]), closed: "no answer in time"),
        Row("closed, timer", closed(), { $0.timerFired(now: at(9)) }, .none, closed: "gone"),
        // Close.
        Row("idle, close", open(), { $0.close(reason: "why") }, .close([]), closed: "why"),
        Row(
            "half a pipeline is answered, close", open((1, 2, 2)),
            { state in
                _ = state.received(.null)
                return state.close(reason: "why")
            }, .close([.init(ticket: 1, error: .closed(operation: "OP1", reason: "why"))]), closed: "why"),
        Row("closed, close", closed(), { $0.close(reason: "why") }, .none, closed: "gone"),
    ]

    @Test("each event in each state has its one action", arguments: rows)
    func table(_ row: Row) {
        var state = row.state()
        #expect(row.event(&state) == row.action)
        #expect(state.closeReason == row.closeReason)
    }

    @Test("after a timer ran out with nobody waiting, the next request sets a new one")
    func timerAgain() {
        var state = Self.open((1, 1, 2))
        _ = state.received(.null)
        #expect(state.timerFired(now: Self.at(2)) == .none)
        #expect(state.send(2, operation: "B", count: 1, deadline: Self.at(9)) == .write(timer: Self.at(9)))
    }

    @Test("every ticket that was taken comes back exactly once")
    func conservation() {
        for seed in 0..<200 { conservation(seed: seed) }
    }

    private func conservation(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var state = State()
        var taken: [Int: Int] = [:]
        var now: Int64 = 0
        var given: [Int] = []
        func note(_ action: State.Action) {
            switch action {
            case .complete(let ticket, _): given.append(ticket)
            case .close(let failures): given += failures.map(\.ticket)
            case .none, .write, .refuse, .schedule: break
            }
        }
        for ticket in 0..<100 {
            now += Int64(random.next() % 3)
            switch random.next() % 8 {
            case 0...3:
                let count = Int(random.next() % 3) + 1
                let deadline = Self.at(now + Int64(random.next() % 20) + 1)
                let action = state.send(ticket, operation: "OP", count: count, deadline: deadline)
                if case .write = action { taken[ticket, default: 0] += 1 }
                note(action)
            case 4...6: note(state.received(.null))
            default: note(state.timerFired(now: Self.at(now)))
            }
        }
        note(state.close(reason: "end"))
        #expect(given.sorted() == taken.keys.sorted(), "seed \(seed)")
    }
}
