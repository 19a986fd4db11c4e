// How many calls a listener works on at once. A call takes its place on the event loop, when its request is whole, and gives it
// back when its work is over, whatever became of the client: so a slow client holds none, and whoever calls and hangs up
// gains nothing. Past the bound a call is answered 503 where it was read, before any task hears of it. One gate a
// listener: what the public one is flooded with does not keep a backend from revoking.

import CurfewCore
import Synchronization

/// The places of one listener.
final class CallGate: Sendable {
    /// A body counts once for every so many bytes: a batch is as much work as its tokens.
    static let bytesPerPlace = 4 * 1024
    /// Places past the maximum for calls that need nothing that is scarce.
    static let reserve = 16

    let maximum: Int
    /// What waited longer than this before its work began is not begun.
    let patience: Duration
    let clock: NodeClock
    private let taken = Atomic(0)

    init(maximum: Int, patience: Duration, clock: NodeClock) {
        precondition(maximum > 0, "a listener that may not work on anything")
        self.maximum = maximum
        self.patience = patience
        self.clock = clock
    }

    /// Whether not even the smallest call would be let in now.
    func isFull(isLight: Bool) -> Bool { taken.load(ordering: .relaxed) >= limit(isLight: isLight) }

    /// How many places this call has now; `nil` where there is no room for it. One that is larger than everything fits
    /// when it is alone.
    fileprivate func enter(bodyBytes: Int, isLight: Bool) -> Int? {
        let places = min(1 + bodyBytes / CallGate.bytesPerPlace, maximum)
        let limit = limit(isLight: isLight)
        let now = taken.wrappingAdd(places, ordering: .relaxed).newValue
        guard now <= limit else {
            leave(places)
            return nil
        }
        return places
    }

    fileprivate func leave(_ places: Int) { taken.wrappingSubtract(places, ordering: .relaxed) }

    private func limit(isLight: Bool) -> Int { isLight ? maximum + CallGate.reserve : maximum }
}

/// The place of the call that is under way on one connection; a connection has one call at a time. Taken on the event loop,
/// given back by whoever knows first that the call is over.
final class CallPlace: Sendable {
    private struct State {
        var places = 0
        var takenAt = BootTime(nanoseconds: 0)
        /// Nobody is left to answer calls of this connection.
        var isOver = false
    }

    private let gate: CallGate
    private let state = Mutex(State())

    init(gate: CallGate) { self.gate = gate }

    /// Whether a call would be refused if it were whole now.
    func isHopeless(isLight: Bool) -> Bool { gate.isFull(isLight: isLight) }

    /// Takes the place for a call whose request is whole; `false`: it is one too many.
    func take(bodyBytes: Int, isLight: Bool) -> Bool {
        guard let places = gate.enter(bodyBytes: bodyBytes, isLight: isLight) else { return false }
        let now = gate.clock.boot()
        let former = state.withLock { state in
            if state.isOver { return places }
            defer { (state.places, state.takenAt) = (places, now) }
            return state.places
        }
        if former > 0 { gate.leave(former) }
        return true
    }

    /// Whether the call waited so long for its turn that whoever asked has better things to do than to wait on.
    var hasWaitedTooLong: Bool {
        let (places, takenAt) = state.withLock { ($0.places, $0.takenAt) }
        return places > 0 && gate.clock.boot() - takenAt > gate.patience
    }

    /// The work is over. More than once does no harm.
    func release() {
        let places = state.withLock { state in
            defer { state.places = 0 }
            return state.places
        }
        if places > 0 { gate.leave(places) }
    }

    /// Nothing will be answered on this connection any more.
    func end() {
        state.withLock { $0.isOver = true }
        release()
    }
}
