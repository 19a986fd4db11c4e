// Entries of the audit log that were not written: counted, and logged, the first of them, then once a minute.

import Logging
import Synchronization

final class AuditDrops: Sendable {
    private static let interval = Duration.seconds(60)

    private let reason: String
    private let logger: Logger
    private let state = Mutex<(count: UInt64, said: ContinuousClock.Instant?)>((0, nil))

    /// `reason`: what did not take them, for the log.
    init(reason: String, logger: Logger) {
        self.reason = reason
        self.logger = logger
    }

    var count: UInt64 { state.withLock(\.count) }

    func add() {
        let told = state.withLock { state -> UInt64? in
            state.count += 1
            let now = ContinuousClock.now
            if let said = state.said, now - said < Self.interval { return nil }
            state.said = now
            return state.count
        }
        guard let told else { return }
        logger.error(
            "audit log: entries are dropped, since \(reason) does not take them",
            metadata: ["dropped_since_start": "\(told)"])
    }
}
