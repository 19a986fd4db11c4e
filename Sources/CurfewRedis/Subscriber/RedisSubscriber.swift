// A connection of its own that listens to channels, and comes back by itself. Between `onLost` and the next
// `onSubscribed` messages may be missed: whoever listens has to read up on what it missed after each `onSubscribed`.

import Logging

/// Listens to a fixed set of channels. `run()` has to run for it to connect.
package final class RedisSubscriber: Sendable {
    private let transport: any RedisTransport
    private let channels: [String]
    private let kind: PubSub
    private let limits: RedisLimits
    private let logger: Logger

    /// - Parameter channels: at least one.
    package init(
        transport: any RedisTransport, channels: [String], kind: PubSub = .ordinary,
        limits: RedisLimits = RedisLimits(), logger: Logger
    ) {
        precondition(!channels.isEmpty, "a subscriber needs a channel")
        var logger = logger
        logger[metadataKey: "redis"] = "\(transport.name)"
        logger[metadataKey: "connection"] = "subscriber"
        self.transport = transport
        self.kind = kind
        var seen: Set<String> = []
        self.channels = channels.filter { seen.insert($0).inserted }
        self.limits = limits
        self.logger = logger
    }

    /// Connects, and again whenever the connection is lost, until its task is cancelled; then closes and returns.
    /// Run it once.
    package func run(_ callbacks: SubscriberCallbacks) async {
        let loop = ReconnectLoop(limits: limits, surroundings: transport.surroundings, logger: logger)
        await loop.run { () throws(RedisError) in
            try await transport.subscribe(to: channels, kind, callbacks)
        }
    }
}
