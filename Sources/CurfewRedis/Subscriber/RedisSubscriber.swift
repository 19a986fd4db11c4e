// A connection of its own that listens to channels, and comes back by itself. Between `onLost` and the next
// `onSubscribed` messages may be missed: whoever listens has to read up on what it missed after each `onSubscribed`.

import Logging
import NIOCore
import Synchronization

/// Listens to a fixed set of channels. `run()` has to run for it to connect.
package final class RedisSubscriber: Sendable {
    private let connector: Connector
    private let channels: [String]
    private let limits: RedisLimits
    private let logger: Logger
    private let callbacks: SubscriberCallbacks

    /// All callbacks run on one event loop and must not block; messages come in the order in which Redis sent them.
    /// - Parameters:
    ///   - channels: at least one.
    ///   - onMessage: may already be called before `onSubscribed`, for channels that are confirmed.
    ///   - onSubscribed: every channel is confirmed, on a new connection.
    ///   - onLost: a connection for which `onSubscribed` was called has ended.
    package init(
        address: RedisAddress, eventLoopGroup: any EventLoopGroup, channels: [String],
        limits: RedisLimits = RedisLimits(), logger: Logger,
        onMessage: @escaping @Sendable (_ channel: String, _ message: [UInt8]) -> Void,
        onSubscribed: @escaping @Sendable () -> Void = {}, onLost: @escaping @Sendable () -> Void = {}
    ) {
        precondition(!channels.isEmpty, "a subscriber needs a channel")
        var logger = logger
        logger[metadataKey: "redis"] = "\(address)"
        logger[metadataKey: "connection"] = "subscriber"
        connector = Connector(address: address, eventLoop: eventLoopGroup.next(), limits: limits)
        var seen: Set<String> = []
        self.channels = channels.filter { seen.insert($0).inserted }
        self.limits = limits
        self.logger = logger
        callbacks = SubscriberCallbacks(onMessage: onMessage, onSubscribed: onSubscribed, onLost: onLost)
    }

    /// Connects, and again whenever the connection is lost, until its task is cancelled; then closes and returns.
    /// Run it once.
    package func run() async {
        await ReconnectLoop(limits: limits, logger: logger).run { () throws(RedisError) in
            let ending = Ending()
            let state = SubscriberState(greeting: Greeting(address: connector.address), channels: channels)
            let channel = try await connector.open { [limits, callbacks] in
                SubscriberHandler(state: state, limits: limits, callbacks: callbacks, onEnd: ending.set)
            }
            await withTaskCancellationHandler {
                try? await channel.closeFuture.get()
            } onCancel: {
                channel.close(promise: nil)
            }
            return try ending.reason()
        }
    }
}

/// How a subscriber's connection ended, from its event loop to the task that runs it.
private final class Ending: Sendable {
    private let result = Mutex<(reason: String, wasLive: Bool)?>(nil)

    @Sendable func set(_ reason: String, _ wasLive: Bool) { result.withLock { $0 = (reason, wasLive) } }

    /// Throws where the connection never got as far as to be subscribed.
    func reason() throws(RedisError) -> String {
        guard let (reason, wasLive) = result.withLock({ $0 }) else {
            throw .unavailable(operation: "SUBSCRIBE", reason: "closed")
        }
        if wasLive { return reason }
        throw .unavailable(operation: "SUBSCRIBE", reason: reason)
    }
}
