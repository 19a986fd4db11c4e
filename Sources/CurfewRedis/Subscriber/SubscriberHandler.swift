// Drives `SubscriberState` on a channel; messages are delivered on its event loop, in the order in which they came.

import NIOCore
import Synchronization

final class SubscriberHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var state: SubscriberState
    private var reader: ReplyReader
    private let limits: RedisLimits
    private let callbacks: SubscriberCallbacks
    private let onEnd: @Sendable (_ reason: String, _ wasLive: Bool) -> Void
    private var context: ChannelHandlerContext?
    private var timer: Scheduled<Void>?

    init(
        state: SubscriberState, limits: RedisLimits, callbacks: SubscriberCallbacks,
        onEnd: @escaping @Sendable (_ reason: String, _ wasLive: Bool) -> Void
    ) {
        self.state = state
        self.limits = limits
        self.callbacks = callbacks
        self.onEnd = onEnd
        reader = ReplyReader(maximumReplyBytes: limits.maximumReplyBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        write(state.opening)
        setTimer(limits.connectTimeout)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(ReplyError) {
            try reader.read(unwrapInboundIn(data)) { value in
                perform(state.received(value))
                return state.phase != .closed
            }
        } catch {
            perform(state.close(reason: error.reason))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        perform(state.close(reason: "the server closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        perform(state.close(reason: ConnectFailure.text(of: error)))
    }

    private func perform(_ action: SubscriberState.Action) {
        switch action {
        case .none: break
        case .subscribed:
            setTimer(limits.heartbeat)
            callbacks.onSubscribed()
        case .deliver(let channel, let message): callbacks.onMessage(channel, message)
        case .ping:
            write([RedisCommand("PING")])
            setTimer(limits.heartbeat)
        case .close(let reason, let wasLive):
            timer?.cancel()
            timer = nil
            context?.close(promise: nil)
            if wasLive { callbacks.onLost() }
            onEnd(reason, wasLive)
        }
    }

    private func write(_ commands: [RedisCommand]) {
        guard let bytes = CommandFormatter.format(commands) else {
            perform(state.close(reason: "no memory"))
            return
        }
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func setTimer(_ duration: Duration) {
        timer?.cancel()
        timer = context?.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(duration)) {
            self.perform(self.state.timerFired())
        }
    }
}

/// How a subscriber's connection ended, from its event loop to the task that runs it.
final class Ending: Sendable {
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
