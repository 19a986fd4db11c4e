// Three kinds of time that must never be mixed: stamps order tokens and cutoffs across the cluster, boot time
// measures freshness on one machine, wall time says when something expires. Nothing in this module reads a clock.

/// Microseconds that Redis gave; orders tokens and cutoffs. No two of a partition are equal.
public struct Stamp: Hashable, Comparable, Sendable {
    /// The number itself. It looks like UNIX time and must not be taken for it.
    public let microseconds: UInt64

    /// The stamp with this number.
    public init(_ microseconds: UInt64) { self.microseconds = microseconds }

    /// Before every stamp that was ever given.
    public static let zero = Stamp(0)

    /// Whether `left` was given first.
    public static func < (left: Stamp, right: Stamp) -> Bool { left.microseconds < right.microseconds }
}

/// A node's CLOCK_BOOTTIME, which counts a suspended machine's sleep too. Never compared between machines.
public struct BootTime: Hashable, Comparable, Sendable {
    /// Since the machine started.
    public let nanoseconds: Int64

    /// The moment so long after the machine's start.
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Before every moment that a clock says.
    public static let distantPast = BootTime(nanoseconds: .min / 2)

    /// Whether `left` is earlier.
    public static func < (left: BootTime, right: BootTime) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The moment so much later; stops at the ends instead of wrapping.
    public static func + (time: BootTime, duration: Duration) -> BootTime {
        let (sum, overflowed) = time.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return BootTime(nanoseconds: overflowed ? (duration < .zero ? .min : .max) : sum)
    }

    /// How much later `left` is; stops at the ends instead of wrapping.
    public static func - (left: BootTime, right: BootTime) -> Duration {
        let (difference, overflowed) = left.nanoseconds.subtractingReportingOverflow(right.nanoseconds)
        return .nanoseconds(overflowed ? (left < right ? .min : .max) : difference)
    }
}

extension Duration {
    /// Rounded towards zero; stops at the ends of 64 bits (292 years).
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflowed) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed || carried ? (seconds < 0 ? .min : .max) : sum
    }
}

/// Wall-clock time in whole UNIX seconds.
public struct WallTime: Hashable, Comparable, Sendable {
    /// Since 1970-01-01T00:00:00Z.
    public let seconds: Int64

    /// The moment so many seconds after 1970.
    public init(seconds: Int64) { self.seconds = seconds }

    /// Whether `left` is earlier.
    public static func < (left: WallTime, right: WallTime) -> Bool { left.seconds < right.seconds }
}
