// The same seed draws the same schedule of faults and the same choices of each client. (What the nodes make of
// them depends on the machine; the seed repeats what was done to them.)

import TestSupport

extension SeededGenerator {
    /// An independent one for each client and for the nemesis.
    init(seed: UInt64, stream: UInt64) {
        self.init(seed: seed)
        self = SeededGenerator(seed: next() ^ (stream &* 0x9E37_79B9_7F4A_7C15))
        self = SeededGenerator(seed: next())
    }

    /// True so many times out of a thousand.
    mutating func happens(perMille: Int) -> Bool { Int.random(in: 0..<1000, using: &self) < perMille }

    mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &self))
    }
}
