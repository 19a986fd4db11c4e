// Drives `SubscriberState` on a channel; messages are delivered on its event loop, in the order in which they came.

import NIOCore

/// Whom a subscriber tells, always on its event loop.
struct SubscriberCallbacks: Sendable {
    let onMessage: @Sendable (_ channel: String, _ message: [UInt8]) -> Void
    let onSubscribed: @Sendable () -> Void
    let onLost: @Sendable () -> Void
}

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
