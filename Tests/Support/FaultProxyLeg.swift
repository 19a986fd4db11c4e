// One side of a proxied connection: it queues what it should write towards its own peer, in order and with the time
// from which each piece may go. Forwarding, delaying and holding are then one thing: when the head of the queue is due.

import Glibc
import NIOCore

/// Reads from its channel into the queue of its peer; writes its own queue to its channel. Event loop only.
final class FaultProxyLeg: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Piece {
        case bytes(ByteBuffer)
        case end
    }

    /// The other side; each holds the other until both are closed.
    var peer: FaultProxyLeg?
    let isClient: Bool
    private let core: FaultProxyCore
    private var context: ChannelHandlerContext?
    private var queue: [(piece: Piece, readAt: NIODeadline)] = []
    private var timer: Scheduled<Void>?

    init(core: FaultProxyCore, isClient: Bool) {
        self.core = core
        self.isClient = isClient
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { pump() }
    }

    func channelActive(context: ChannelHandlerContext) { pump() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        peer?.enqueue(.bytes(unwrapInboundIn(data)))
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        timer?.cancel()
        queue = []
        core.gone(self)
        let other = peer
        peer = nil
        other?.enqueue(.end)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// From now on closing this side sends a reset. (A unix socket knows no such thing, and just closes.)
    func makeEndAbrupt() {
        guard let channel = context?.channel as? any SocketOptionProvider else { return }
        channel.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in }
    }

    /// Closes both sides at once, whatever the mode.
    func drop() {
        let other = peer
        peer = nil
        context?.close(promise: nil)
        core.gone(self)
        other?.drop()
    }

    private func enqueue(_ piece: Piece) {
        queue.append((piece, .now()))
        pump()
    }

    /// Writes whatever is due, and comes back for the rest. Nothing moves before this side is connected.
    func pump() {
        guard let context, context.channel.isActive else { return }
        var isWritten = false
        while let head = queue.first {
            let due: NIODeadline
            switch core.mode {
            case .blackhole: return
            case .forward: due = head.readAt
            case .delay(let duration): due = head.readAt + TimeAmount(duration)
            }
            if due > .now() {
                schedule(due, on: context.eventLoop)
                break
            }
            queue.removeFirst()
            switch head.piece {
            case .bytes(let buffer):
                context.write(wrapOutboundOut(buffer), promise: nil)
                isWritten = true
            case .end:
                context.flush()
                context.close(promise: nil)
                return
            }
        }
        if isWritten { context.flush() }
    }

    private func schedule(_ due: NIODeadline, on eventLoop: any EventLoop) {
        timer?.cancel()
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.pump() }
    }
}
