// Virtual time: what is to happen, in order of when, then of who asked first. Nothing here waits; the next thing is simply the
// next moment.

import HeapModule

/// The simulation's clock and its queue of things to come. True time: nodes see it through their own, wrong, clocks.
final class Agenda {
    /// Nanoseconds since the run began.
    private(set) var now: Int64 = 0
    /// Wall clocks run so many times as fast as boot clocks. Every bound of freshness is counted on boot clocks, every lifetime on wall
    /// clocks: so this is a cluster whose Δ, polls and faults take so many times as long, at the price of one that is quick. What is
    /// kept for minutes (`until`) is then forgotten within a run.
    let pace: Int64
    private var heap = Heap<Entry>()
    private var entriesMade: UInt64 = 0

    init(pace: Int64) { self.pace = pace }

    /// What a wall clock shows that is right.
    var wallMicroseconds: Int64 { SimulatedTime.origin * 1_000_000 + now / 1000 * pace }
    var wallSeconds: Int64 { wallMicroseconds / 1_000_000 }

    private struct Entry: Comparable {
        let time: Int64
        let number: UInt64
        let action: () -> Void

        static func < (left: Entry, right: Entry) -> Bool { (left.time, left.number) < (right.time, right.number) }
        static func == (left: Entry, right: Entry) -> Bool { left.number == right.number }
    }

    func after(_ nanoseconds: Int64, _ action: @escaping () -> Void) {
        entriesMade += 1
        heap.insert(Entry(time: now + max(0, nanoseconds), number: entriesMade, action: action))
    }

    /// When the next thing happens.
    var next: Int64? { heap.min?.time }

    /// Lets time pass to a moment before which nothing happens.
    func pass(to moment: Int64) {
        precondition(moment >= now && next.map { $0 >= moment } ?? true, "time passes in order")
        now = moment
    }

    /// Lets time pass to the next thing and does it; `false` where there is none.
    func step() -> Bool {
        guard let entry = heap.popMin() else { return false }
        now = entry.time
        entry.action()
        return true
    }
}

extension Int64 {
    static func milliseconds(_ count: Int64) -> Int64 { count * 1_000_000 }
    static func milliseconds(_ count: Double) -> Int64 { Int64(count * 1_000_000) }
    static func seconds(_ count: Double) -> Int64 { Int64(count * 1_000_000_000) }
}
