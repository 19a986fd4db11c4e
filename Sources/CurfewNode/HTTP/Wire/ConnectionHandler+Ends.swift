// How a connection ends: by its client, by a refusal, by time, by a graceful stop. Whatever the reason, an answer that
// was begun is written whole first, then our side is closed, and the client's last bytes are read for a moment: a socket
// that is closed with unread bytes resets the connection, and the client would lose the answer that says why.

import NIOCore

enum ConnectionError: Error {
    /// The client left in the middle of a request.
    case endedWithinRequest
    /// The rest of the request was refused.
    case refused
}

/// The timers of a connection. Ticks only look at a flag, so that a request costs no clock.
struct ConnectionTimers {
    /// No byte came since the last tick.
    var isQuiet = false
    fileprivate var quietTicks = 0
    fileprivate var idle: Scheduled<Void>?
    fileprivate var request: (kind: Waiting, task: Scheduled<Void>)?
    fileprivate var end: Scheduled<Void>?

    /// What of a request is missing.
    enum Waiting { case head, body }

    mutating func cancel() {
        idle?.cancel()
        request?.task.cancel()
        end?.cancel()
        (idle, request, end) = (nil, nil, nil)
    }
}

extension ConnectionHandler {
    private static let ticksUntilIdle = 4

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isInputClosed = true
            if isFinishing { context.close(promise: nil) } else { process(context) }
        case is ChannelShouldQuiesceEvent:
            isQuiescing = true
            machine.closeAfterAnswer()
            scheduleEnd(context, after: settings.drainTimeout) { context.close(promise: nil) }
            settle(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    /// After each change: does the connection end now, and what is it waiting for?
    func settle(_ context: ChannelHandlerContext) {
        flushOutput(context)
        guard !isFinishing else { return }
        if machine.isClosed { return finish(context) }
        if isInputClosed, isChannelWritable {
            if machine.isReceivingBody { context.fireErrorCaught(ConnectionError.endedWithinRequest) }
            if machine.isReceivingBody || machine.isBetweenRequests {
                machine.close()
                return finish(context)
            }
        }
        if isQuiescing, machine.isBetweenRequests, input.readableBytes == 0 {
            machine.close()
            return finish(context)
        }
        watchRequest(context)
    }

    /// Writes what is left, closes our side, reads on for a moment.
    private func finish(_ context: ChannelHandlerContext) {
        isFinishing = true
        timers.request?.task.cancel()
        timers.request = nil
        input = ByteBuffer()
        // A TLS handshake that is never done writes nothing.
        if admission == .oneTooMany { scheduleLinger(context) { _ in context.close(promise: nil) } }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        written.futureResult.assumeIsolated().whenComplete { _ in
            guard !self.isInputClosed else { return context.close(promise: nil) }
            let closed = context.eventLoop.makePromise(of: Void.self)
            context.close(mode: .output, promise: closed)
            closed.futureResult.assumeIsolated().whenFailure { _ in context.close(promise: nil) }
            self.scheduleLinger(context) { _ in context.close(promise: nil) }
        }
    }

    // MARK: Timers

    /// A stop lingers less: it is waited for.
    func scheduleLinger(_ context: ChannelHandlerContext, _ body: @escaping (ConnectionHandler) -> Void) {
        let limit = isQuiescing ? settings.lingerTimeout / 4 : settings.lingerTimeout
        scheduleEnd(context, after: limit) { body(self) }
    }

    private func scheduleEnd(_ context: ChannelHandlerContext, after delay: Duration, _ body: @escaping () -> Void) {
        timers.end?.cancel()
        timers.end = schedule(context, after: delay, body)
    }

    private func schedule(
        _ context: ChannelHandlerContext, after delay: Duration, _ body: @escaping () -> Void
    ) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay), body)
    }

    /// A connection without traffic ends after `idleTimeout`, up to a quarter late; one whose answer is under way doesn't,
    /// unless the client does not read what it is sent.
    func scheduleIdleTick(_ context: ChannelHandlerContext) {
        let period = settings.idleTimeout / ConnectionHandler.ticksUntilIdle
        timers.idle = schedule(context, after: period) {
            // A request that is only half there has a deadline of its own, which ends with an answer.
            let isBusy = self.machine.current != nil && !self.machine.isClosed && self.isChannelWritable
            let isIdle = self.timers.isQuiet && self.timers.request == nil && !isBusy
            self.timers.quietTicks = isIdle ? self.timers.quietTicks + 1 : 0
            self.timers.isQuiet = true
            if self.timers.quietTicks >= ConnectionHandler.ticksUntilIdle {
                context.close(promise: nil)
            } else {
                self.scheduleIdleTick(context)
            }
        }
    }

    /// A head that began must be whole within `headTimeout`, a body within `idleTimeout` after its head.
    private func watchRequest(_ context: ChannelHandlerContext) {
        let waiting: ConnectionTimers.Waiting?
        if machine.isReceivingBody {
            waiting = .body
        } else {
            waiting = machine.isBetweenRequests && input.readableBytes > 0 && isChannelWritable ? .head : nil
        }
        guard waiting != timers.request?.kind else { return }
        timers.request?.task.cancel()
        timers.request = nil
        guard let waiting else { return }
        let limit = waiting == .head ? settings.headTimeout : settings.idleTimeout
        let task = schedule(context, after: limit) { self.requestTimedOut(waiting, limit: limit, context) }
        timers.request = (waiting, task)
    }

    private func requestTimedOut(
        _ waiting: ConnectionTimers.Waiting, limit: Duration, _ context: ChannelHandlerContext
    ) {
        timers.request = nil
        guard !machine.isClosed else { return }
        let mayAnswer = machine.mayAnswer
        machine.close()
        if mayAnswer {
            let part = waiting == .head ? "head" : "body"
            refuse(.malformed("the request's \(part) was not complete within \(limit.components.seconds) s"))
        }
        if machine.current != nil { context.fireErrorCaught(ConnectionError.refused) }
        settle(context)
    }
}
