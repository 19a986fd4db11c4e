// The open connections to a primary, to be ended when the sentinels say that another server is the primary now: whoever
// uses them connects again and asks anew. A connection that was on its way to the old one meanwhile is not let through.

import Synchronization

final class PrimaryConnections: Sendable {
    private struct State {
        var moves: UInt64 = 0
        var movedTo: RedisAddress.Endpoint?
        var made: UInt64 = 0
        var open: [UInt64: (endpoint: RedisAddress.Endpoint, end: @Sendable () -> Void)] = [:]
    }

    private let state = Mutex(State())

    /// How often the primary has moved.
    var moves: UInt64 { state.withLock { $0.moves } }

    /// Those that are open.
    var count: Int { state.withLock { $0.open.count } }

    /// - Parameters:
    ///   - moves: as it was before the sentinels were asked.
    ///   - end: called once where the primary moves elsewhere; must not block.
    /// - Returns: its number, for `remove`; `nil` where the primary has moved elsewhere since.
    func add(
        to endpoint: RedisAddress.Endpoint, since moves: UInt64, end: @escaping @Sendable () -> Void
    ) -> UInt64? {
        state.withLock { state in
            if state.moves != moves, state.movedTo != endpoint { return nil }
            state.made += 1
            state.open[state.made] = (endpoint, end)
            return state.made
        }
    }

    func remove(_ number: UInt64) { state.withLock { $0.open[number] = nil } }

    /// Ends those to any other server.
    func move(to endpoint: RedisAddress.Endpoint) {
        let ended = state.withLock { state in
            state.moves += 1
            state.movedTo = endpoint
            let ended = state.open.filter { $0.value.endpoint != endpoint }
            for number in ended.keys { state.open[number] = nil }
            return ended
        }
        for connection in ended.values { connection.end() }
    }
}
