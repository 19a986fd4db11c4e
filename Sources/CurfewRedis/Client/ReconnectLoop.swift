// Connect, live, lose, pause, again: what a client and a subscriber have in common. Pauses are jittered and capped, and
// start over once a connection lived longer than the cap. A reason is a warning once; its repetitions are debug.

import Logging

struct ReconnectLoop: Sendable {
    let limits: RedisLimits
    let surroundings: any Surroundings
    let logger: Logger

    /// `attempt` connects and returns, with the reason, once a connection that was of use has ended; it throws where none
    /// came about. Returns when the task is cancelled.
    func run(_ attempt: () async throws(RedisError) -> String) async {
        let backoff = Backoff(minimum: limits.minimumBackoff, maximum: limits.maximumBackoff)
        var failures = 0
        var lastReason: String?
        while !Task.isCancelled {
            let start = surroundings.uptime
            do throws(RedisError) {
                let reason = try await attempt()
                if Task.isCancelled { break }
                logger.warning("connection to Redis lost", metadata: ["reason": "\(reason)"])
                lastReason = nil
                failures = surroundings.uptime - start > limits.maximumBackoff ? 0 : failures + 1
            } catch {
                if Task.isCancelled { break }
                let reason = ConnectFailure.reason(of: error)
                logger.log(
                    level: reason == lastReason ? .debug : .warning, "no connection to Redis",
                    metadata: ["reason": "\(reason)", "attempt": "\(failures + 1)"])
                lastReason = reason
                failures += 1
            }
            var chance = Chance(surroundings)
            let pause = backoff.pause(attempt: max(failures - 1, 0), random: .random(in: 0...1, using: &chance))
            try? await surroundings.sleep(for: pause)
        }
    }
}
