// The time by which a partition forgets. A wall clock would do, were it never wrong: one that runs ahead, at the nodes and at
// Redis alike, lets tombstones go, and once it is set right the tokens that they ended live again. So this one goes forward
// no faster than time passes, and believes a step forward only after every token of before the step has run out.

public struct ForgettingClock: Hashable, Sendable {
    /// What may be forgotten by now: everything that was to be kept until an earlier second. `nil` forgets nothing.
    public private(set) var time: WallTime?
    private var lookedAt = BootTime.distantPast
    /// Since when the wall clock has not been stepped.
    private var steady: Sighting?

    private struct Sighting: Hashable {
        let wall: WallTime
        let boot: BootTime

        /// What an unstepped wall clock shows now.
        func expected(at now: BootTime) -> WallTime {
            WallTime(seconds: wall.seconds + (now - boot).components.seconds)
        }
    }

    /// A wall clock that is further off than this was stepped (s): far below what a tombstone is kept for beyond the last token.
    public static let tolerance: Int64 = 5
    /// How long a tombstone is kept beyond the last token (s), as `prelude.lua` has it.
    public static let slackSeconds: Int64 = 90

    /// How far ahead all clocks may be, together, when nobody knows how far the nodes came before (s).
    public static let firstLagSeconds: Int64 = 86_400

    public init() {}

    /// Goes on from where the partition's nodes were before, as Redis has it. Where it has nothing (it is new, or lost its data), this
    /// node's clocks are the only ones there are, and believed but for a day.
    public mutating func resume(from known: WallTime?, wall: WallTime, redis: WallTime, at now: BootTime) {
        guard time == nil else { return }
        time = min(known ?? WallTime(seconds: wall.seconds - Self.firstLagSeconds), wall, redis)
        lookedAt = now
        steady = Sighting(wall: wall, boot: now)
    }

    /// Goes on by as much as has passed since the last look.
    /// - Parameters:
    ///   - wall: the node's clock. - redis: Redis', which agrees with it.
    ///   - keptFor: how long a tombstone is kept (s).
    public mutating func look(wall: WallTime, redis: WallTime, at now: BootTime, keptFor: Int64) {
        guard let known = time, let steady else { return }
        let passed = (now - lookedAt).components.seconds
        lookedAt = lookedAt + .seconds(passed)
        time = min(WallTime(seconds: known.seconds + passed), wall, redis)
        if abs(wall.seconds - steady.expected(at: now).seconds) > Self.tolerance {
            self.steady = Sighting(wall: wall, boot: now)
        } else if now - steady.boot > .seconds(keptFor) {
            time = min(wall, redis)
        }
    }
}
