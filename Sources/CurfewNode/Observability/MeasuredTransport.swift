// A transport and its links, with a watch beside them: how long answers of Redis take, what fails, how often a connection is made again.
// Nothing that goes through is changed, and no argument of a command is looked at.

import CurfewRedis

/// Any transport, measured.
struct MeasuredTransport: RedisTransport {
    let base: any RedisTransport
    let metrics: NodeMetrics

    var name: String { base.name }
    var surroundings: any Surroundings { base.surroundings }
    var address: String { base.address }
    var failoverDelay: Duration? { base.failoverDelay }

    func connect(generation: UInt64) async throws(RedisError) -> any RedisLink {
        do throws(RedisError) {
            let link = try await base.connect(generation: generation)
            if generation > 1 { metrics.countReconnect() }
            return MeasuredLink(base: link, metrics: metrics)
        } catch {
            metrics.count(error)
            throw error
        }
    }

    func subscribe(
        to channels: [String], _ kind: PubSub, _ callbacks: SubscriberCallbacks
    ) async throws(RedisError) -> String {
        do throws(RedisError) {
            return try await base.subscribe(to: channels, kind, callbacks)
        } catch {
            metrics.count(error)
            throw error
        }
    }

    func watch() async { await base.watch() }
}

private final class MeasuredLink: RedisLink {
    let base: any RedisLink
    let metrics: NodeMetrics

    init(base: any RedisLink, metrics: NodeMetrics) {
        self.base = base
        self.metrics = metrics
    }

    var generation: UInt64 { base.generation }
    var defaultTimeout: Duration { base.defaultTimeout }
    var surroundings: any Surroundings { base.surroundings }

    func pipeline(_ commands: [RedisCommand], timeout: Duration?) async throws(RedisError) -> [RedisValue] {
        let start = surroundings.uptime
        do throws(RedisError) {
            let replies = try await base.pipeline(commands, timeout: timeout)
            metrics.observeRedis(surroundings.uptime - start)
            for reply in replies { count(reply) }
            return replies
        } catch {
            metrics.count(error)
            throw error
        }
    }

    /// An error reply. What a script's first use and a moved slot are answered is no failure.
    private func count(_ reply: RedisValue) {
        guard case .error(let message) = reply else { return }
        guard !["NOSCRIPT", "MOVED", "ASK", "TRYAGAIN"].contains(where: message.hasPrefix) else { return }
        metrics.count(.server(operation: "", message: ""))
    }

    func post(_ command: RedisCommand, onFailure: @escaping @Sendable (RedisError) -> Void) {
        base.post(command) { [metrics] error in
            metrics.count(error)
            onFailure(error)
        }
    }

    func close(reason: String) { base.close(reason: reason) }
    func whenClosed(_ callback: @escaping @Sendable (_ reason: String) -> Void) { base.whenClosed(callback) }
    func waitUntilClosed() async { await base.waitUntilClosed() }
}
