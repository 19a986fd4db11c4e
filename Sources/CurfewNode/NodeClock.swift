// The two clocks of a node. Freshness is measured on CLOCK_BOOTTIME, which also counts a suspended machine's sleep; expiry on
// the wall clock. Neither is compared with another machine's, but for the skew bound.

import CurfewCore
import CurfewRedis

/// Read for every token: the machine's clocks are asked directly, without a detour through `Surroundings`.
package struct NodeClock: Sendable {
    private let surroundings: (any Surroundings)?

    /// `nil`: the machine's own clocks.
    package init(_ surroundings: (any Surroundings)? = nil) { self.surroundings = surroundings }

    /// Later than zero by an hour at least; never goes back.
    package func boot() -> BootTime {
        BootTime(nanoseconds: surroundings?.uptime.wholeNanoseconds ?? SystemSurroundings.uptimeNanoseconds)
    }

    /// As `boot`, for lifetimes (`Surroundings.age`).
    func age() -> BootTime {
        BootTime(nanoseconds: surroundings?.age.wholeNanoseconds ?? SystemSurroundings.uptimeNanoseconds)
    }

    /// UNIX seconds.
    package func wall() -> WallTime {
        WallTime(seconds: surroundings?.wallSeconds ?? SystemSurroundings.wallSeconds)
    }
}

/// A node whose wall clock is further off Redis' TIME fences itself: its idea of expiry is not to be trusted.
package enum ClockSkew {
    package static let boundSeconds = PartitionFeed.skewBoundSeconds
    static let detail = "clock_skew: this node's clock is more than \(boundSeconds) s off Redis' TIME"

    /// `redis` was read between two looks at the node's own clock.
    static func isTooLarge(redis: WallTime, before: WallTime, after: WallTime) -> Bool {
        redis.seconds < before.seconds - boundSeconds || redis.seconds > after.seconds + boundSeconds
    }
}
