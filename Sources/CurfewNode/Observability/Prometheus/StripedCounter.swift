// A count that many threads raise at once: cells on cache lines of their own, each thread at one of them, added up when somebody reads.
// No lock, no allocation after it was made. Two threads at one cell are right all the same, only slower.

import Synchronization

final class StripedCounter: Sendable {
    static let stripes = 8
    /// Words from one cell to the next: 128 bytes, since processors fetch lines in pairs.
    private static let stride = 16
    // Safe: made here, freed in deinit, and every access between is atomic.
    private nonisolated(unsafe) let cells: UnsafeMutablePointer<Atomic<Int>>

    init() {
        cells = .allocate(capacity: Self.stripes * Self.stride)
        for index in 0..<Self.stripes * Self.stride { (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        cells.deinitialize(count: Self.stripes * Self.stride)
        cells.deallocate()
    }

    /// Adds at the stripe's cell, and returns what stands there now.
    @discardableResult
    func add(_ amount: Int = 1, stripe: Int = 0) -> Int {
        cells[(stripe & (Self.stripes - 1)) * Self.stride].wrappingAdd(amount, ordering: .relaxed).newValue
    }

    var value: Int {
        (0..<Self.stripes).reduce(0) { $0 &+ cells[$1 * Self.stride].load(ordering: .relaxed) }
    }

    /// The stripe of the thread that this memory belongs to.
    static func stripe(of memory: UnsafeMutableRawPointer?) -> Int {
        Int(truncatingIfNeeded: (UInt(bitPattern: memory) &* 0x9E37_79B9_7F4A_7C15) >> 61)
    }
}
