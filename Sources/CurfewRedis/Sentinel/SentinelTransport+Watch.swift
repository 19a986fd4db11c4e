// Hears of a failover from a sentinel and ends the connections to the old primary at once, which may still accept them.
// It makes nothing true: a node that hears nothing finds out by its polls, by ROLE, or by the end of its connection.

import Logging
import Synchronization

extension SentinelTransport {
    /// Listens at one sentinel, and at the next when that one is gone, until the task is cancelled.
    package func watch() async {
        var logger = logger
        logger[metadataKey: "connection"] = "sentinel"
        let loop = ReconnectLoop(limits: limits, surroundings: surroundings, logger: logger)
        await loop.run { () throws(RedisError) in
            let sentinel = state.withLock { $0.roster.first }
            let ended: Result<String, RedisError>
            do throws(RedisError) {
                let callbacks = SubscriberCallbacks(
                    onMessage: { _, message in self.heard(String(decoding: message, as: UTF8.self)) },
                    // What happened before is not told again.
                    onSubscribed: { Task { await self.compare(with: sentinel) } })
                ended = .success(
                    try await connector(to: sentinel).subscribe(to: [SentinelSwitch.channel], .ordinary, callbacks))
            } catch {
                ended = .failure(error)
            }
            state.withLock { $0.roster.moveBack(sentinel) }
            switch ended {
            case .success(let reason): return "sentinel \(sentinel.hostAndPort): \(reason)"
            case .failure(let error):
                throw .unavailable(
                    operation: "SUBSCRIBE",
                    reason: "sentinel \(sentinel.hostAndPort): \(ConnectFailure.reason(of: error))")
            }
        }
    }

    private func heard(_ message: String) {
        guard let change = SentinelSwitch(message), change.name == group.name else { return }
        logger.notice("the primary has moved", metadata: ["to": "\(change.to.hostAndPort)"])
        connections.move(to: change.to)
    }

    private func compare(with sentinel: RedisAddress.Endpoint) async {
        let followed = state.withLock { $0.primary }
        guard let followed, let primary = try? await ask(sentinel).primary, primary != followed else { return }
        logger.notice("the primary has moved", metadata: ["to": "\(primary.hostAndPort)"])
        connections.move(to: primary)
    }
}
