// Every bound of a connection to Redis, with its name, its default and what happens at it.

/// Bounds of one client or subscriber.
package struct RedisLimits: Sendable, Equatable {
    /// Deadline of a command that names none. Past it the command fails and the connection is closed.
    package var commandTimeout = Duration.seconds(2)
    /// Deadline of connecting a socket, and once more of what follows on it: TLS, AUTH, SELECT.
    package var connectTimeout = Duration.seconds(1)
    /// Deadline of connecting to one sentinel, and once more of its answer; then the next is asked.
    package var sentinelTimeout = Duration.milliseconds(250)
    /// Commands without an answer yet. Past it a send fails at once with `.overloaded`.
    package var maximumPending = 10_000
    /// Bytes of those commands. Past it a send fails at once with `.overloaded`; one send alone may exceed it.
    package var maximumPendingBytes = 64 * 1024 * 1024
    /// One reply. A larger one closes the connection.
    package var maximumReplyBytes = 64 * 1024 * 1024
    /// Pause before connecting again: starts here, doubles, jittered.
    package var minimumBackoff = Duration.milliseconds(10)
    /// Longest such pause; at most a fourth of the staleness bound.
    package var maximumBackoff = Duration.milliseconds(250)
    /// How often a subscriber asks whether its connection still lives; without an answer by the next time it is closed.
    package var heartbeat = Duration.milliseconds(500)

    package init() {}
}

/// The pause before the nth attempt in a row to connect.
package struct Backoff: Sendable {
    let minimum: Duration
    let maximum: Duration

    package init(minimum: Duration, maximum: Duration) {
        self.minimum = minimum
        self.maximum = maximum
    }

    /// Between half and all of `min(maximum, minimum · 2^attempt)`; `random` is 0…1 and picks the place.
    package func pause(attempt: Int, random: Double) -> Duration {
        precondition(attempt >= 0)
        var whole = minimum
        for _ in 0..<min(attempt, 62) where whole < maximum { whole = whole * 2 }
        whole = min(whole, maximum)
        return whole / 2 + whole / 2 * min(max(random, 0), 1)
    }
}
