// Virtual time: what is to happen, in order of when, then of who asked first. Nothing here waits; the next thing is simply the
// next moment.

import HeapModule

/// The simulation's clock and its queue of things to come. True time: nodes see it through their own, wrong, clocks.
final class Agenda {
    /// Nanoseconds since the run began.
    private(set) var now: Int64 = 0
    private var heap = Heap<Entry>()
    private var entriesMade: UInt64 = 0

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
