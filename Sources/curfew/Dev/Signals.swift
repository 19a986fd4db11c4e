// Work that a signal ends early.

import UnixSignals

enum Signals {
    /// Runs `body` until it returns, throws, or SIGINT, SIGTERM or SIGHUP comes: then `body` is cancelled. Answers
    /// whether it was a signal.
    static func interrupting(_ body: @escaping @Sendable () async throws -> Void) async throws -> Bool {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        return try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await body()
                return false
            }
            group.addTask {
                for await _ in signals { return true }
                return false
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
    }
}
