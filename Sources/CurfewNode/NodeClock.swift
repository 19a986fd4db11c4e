// The two clocks of a node. Freshness is measured on Swift's `ContinuousClock`, CLOCK_BOOTTIME on Linux, which also counts
// a suspended machine's sleep; expiry on the wall clock. Neither is compared with another machine's, but for the skew bound.

import CurfewCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

package struct NodeClock: Sendable {
    /// What `boot()` counts from: the same moment for the whole process, and no moment of any other.
    private static let origin = ContinuousClock.now

    package init() {}

    /// Nanoseconds since this process first asked, plus one hour, so that nothing that can happen lies before zero.
    package func boot() -> BootTime {
        let (seconds, attoseconds) = (ContinuousClock.now - Self.origin).components
        return BootTime(nanoseconds: (seconds + 3600) * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// UNIX seconds.
    package func wall() -> WallTime { WallTime(seconds: Int64(time(nil))) }
}
