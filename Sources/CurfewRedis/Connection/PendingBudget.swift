// How much one connection may have under way, counted before anything is handed to its event loop: so a flood of
// callers is refused at once on its own threads, whatever the loop is doing.

import Synchronization

/// Commands and their bytes without an answer yet, each with its bound.
final class PendingBudget: Sendable {
    private struct Used {
        var commands = 0
        var bytes = 0
    }

    private let maximumCommands: Int
    private let maximumBytes: Int
    private let used = Mutex(Used())

    init(limits: RedisLimits) {
        maximumCommands = limits.maximumPending
        maximumBytes = limits.maximumPendingBytes
    }

    /// False past a bound; then nothing was taken. A single request may exceed the byte bound when it is alone.
    func take(commands: Int, bytes: Int) -> Bool {
        used.withLock { used in
            guard used.commands + commands <= maximumCommands else { return false }
            guard used.bytes == 0 || used.bytes + bytes <= maximumBytes else { return false }
            used.commands += commands
            used.bytes += bytes
            return true
        }
    }

    func giveBack(commands: Int, bytes: Int) {
        used.withLock { used in
            used.commands -= commands
            used.bytes -= bytes
            precondition(used.commands >= 0 && used.bytes >= 0, "gave back more than was taken")
        }
    }
}
