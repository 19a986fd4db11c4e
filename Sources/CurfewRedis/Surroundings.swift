// Time and chance as an argument, so that a whole node can be run from one seed on a clock that is not a machine's.
// What a node decides depends on nothing else but these, its settings, and what comes over its connections.

import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A process' clocks, timers and random numbers.
package protocol Surroundings: Sendable {
    /// Since some moment before the process began; never goes back, counts a suspended machine's sleep.
    var uptime: Duration { get }
    /// What lifetimes pass by, which are hours and days: as `uptime`, but in a simulation that has no hours.
    var age: Duration { get }
    /// UNIX seconds.
    var wallSeconds: Int64 { get }
    /// Throws `CancellationError` where the task is cancelled first.
    func sleep(for duration: Duration) async throws
    /// Calls back once, on a thread that must not be blocked.
    func schedule(in duration: Duration, _ work: @escaping @Sendable () -> Void)
    /// Unpredictable to others, but in a simulation.
    func random() -> UInt64
}

extension Surroundings {
    package var age: Duration { uptime }
}

/// The machine's own: CLOCK_BOOTTIME, the wall clock, an event loop's timers, and the
/// system's random numbers.
package struct SystemSurroundings: Surroundings {
    /// What `uptime` counts from, less one hour: nothing that can happen lies before zero.
    private static let origin = clock() - 3_600_000_000_000
    private let eventLoop: any EventLoop

    package init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    package static var uptime: Duration { .nanoseconds(uptimeNanoseconds) }
    /// The same, for whoever asks for every token.
    package static var uptimeNanoseconds: Int64 { clock() - origin }
    package static var wallSeconds: Int64 { Int64(time(nil)) }

    #if !os(Linux)
        private static let reference = ContinuousClock.now
    #endif

    /// Nanoseconds since some moment.
    private static func clock() -> Int64 {
        #if os(Linux)
            var now = timespec()
            clock_gettime(CLOCK_BOOTTIME, &now)
            return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
        #else
            let (seconds, attoseconds) = (ContinuousClock.now - reference).components
            return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        #endif
    }

    package var uptime: Duration { Self.uptime }
    package var wallSeconds: Int64 { Self.wallSeconds }

    package func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }

    package func schedule(in duration: Duration, _ work: @escaping @Sendable () -> Void) {
        eventLoop.scheduleTask(in: TimeAmount(duration), work)
    }

    package func random() -> UInt64 { .random(in: .min ... .max) }
}

/// The surroundings' random numbers, for what takes a generator.
package struct Chance: RandomNumberGenerator {
    private let surroundings: any Surroundings

    package init(_ surroundings: any Surroundings) { self.surroundings = surroundings }

    package func next() -> UInt64 { surroundings.random() }
}

extension Surroundings {
    /// Asks every `interval` until the condition holds; `false` where it did not by the deadline, or the task is cancelled.
    package func wait(upTo limit: Duration, every interval: Duration, for isMet: () -> Bool) async -> Bool {
        let end = uptime + limit
        while !isMet() {
            guard uptime < end else { return false }
            do { try await sleep(for: interval) } catch { return false }
        }
        return true
    }
}
