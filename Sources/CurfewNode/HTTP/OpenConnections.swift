// The connections that a listener has, whoever serves them: how many there are, and how they end together when it stops.

import NIOCore
import Synchronization

final class OpenConnections: Sendable {
    private struct State {
        var count = 0
        /// Those that are told when the listener stops.
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isStopping = false
        var whenEmpty: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// The channel is told when the listener stops, and keeps its place until it is closed.
    func watch(_ channel: any Channel, _ place: ConnectionPlace) {
        let id = ObjectIdentifier(channel)
        let isStopping = state.withLock { state in
            state.channels[id] = channel
            return state.isStopping
        }
        channel.closeFuture.whenComplete { [self] _ in
            _ = state.withLock { $0.channels.removeValue(forKey: id) }
            place.leave()
        }
        if isStopping { Self.stop(channel) }
    }

    /// Each connection ends once it has answered what it was asked; then `whenEmpty` is called, once.
    func stop(whenEmpty: @escaping @Sendable () -> Void) {
        let (channels, isEmpty) = state.withLock { state in
            state.isStopping = true
            if state.count > 0 { state.whenEmpty = whenEmpty }
            return (Array(state.channels.values), state.count == 0)
        }
        for channel in channels { Self.stop(channel) }
        if isEmpty { whenEmpty() }
    }

    private static func stop(_ channel: any Channel) {
        // Later than whatever sets it up now.
        channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    fileprivate func enter() -> Int {
        state.withLock { state in
            state.count += 1
            return state.count
        }
    }

    fileprivate func leave() {
        let whenEmpty = state.withLock { state -> (@Sendable () -> Void)? in
            state.count -= 1
            guard state.count == 0 else { return nil }
            return state.whenEmpty.take()
        }
        whenEmpty?()
    }
}

/// A connection's place among those of its listener, from when it is accepted until it has left.
final class ConnectionPlace: Sendable {
    /// How many there were with it.
    let number: Int
    private let connections: OpenConnections
    private let hasLeft = Atomic(false)

    init(in connections: OpenConnections) {
        self.connections = connections
        number = connections.enter()
    }

    /// Gives it back; only the first call does.
    func leave() {
        if !hasLeft.exchange(true, ordering: .relaxed) { connections.leave() }
    }

    deinit { leave() }
}
