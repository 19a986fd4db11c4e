// Drives `ConnectionState` on a channel: bytes in through hiredis' reader, requests out, one timer. Event loop only.
// Writes of one turn of the loop are flushed together, so that many concurrent callers share a system call.

import NIOCore

/// Who waits for a request, and what it holds of the connection's budget until it is answered.
struct RequestTicket: Sendable {
    enum Caller: Sendable {
        case task(CheckedContinuation<Result<[RedisValue], RedisError>, Never>)
        /// Fire and forget: told only of failures.
        case nobody(onFailure: @Sendable (RedisError) -> Void)
    }

    let caller: Caller
    let budget: PendingBudget
    let commands: Int
    let bytes: Int

    func finish(_ result: Result<[RedisValue], RedisError>) {
        budget.giveBack(commands: commands, bytes: bytes)
        switch caller {
        case .task(let continuation): continuation.resume(returning: result)
        case .nobody(let onFailure):
            if case .failure(let error) = result { onFailure(error) }
        }
    }
}

/// One request, formatted.
struct Request: Sendable {
    let ticket: RequestTicket
    let operation: String
    let bytes: ByteBuffer
    let deadline: NIODeadline
}

final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var state = ConnectionState<RequestTicket>()
    private var reader: ReplyReader
    private var context: ChannelHandlerContext?
    private var timer: Scheduled<Void>?
    private var isFlushScheduled = false
    /// Told once, before anybody's request fails because of it.
    private var onClose: [@Sendable (_ reason: String) -> Void] = []

    init(limits: RedisLimits) {
        reader = ReplyReader(maximumReplyBytes: limits.maximumReplyBytes)
    }

    func send(_ request: Request) {
        let action = state.send(
            request.ticket, operation: request.operation, count: request.ticket.commands, deadline: request.deadline)
        switch action {
        case .write: context?.write(wrapOutboundOut(request.bytes), promise: nil)
        case .refuse(let error): request.ticket.finish(.failure(error))
        case .none, .complete, .schedule, .close: break
        }
        perform(action)
    }

    /// Calls back when the connection ends, at once where it has.
    func whenClosed(_ callback: @escaping @Sendable (_ reason: String) -> Void) {
        if let reason = state.closeReason { callback(reason) } else { onClose.append(callback) }
    }

    func close(reason: String) { perform(state.close(reason: reason)) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(ReplyError) {
            try reader.read(unwrapInboundIn(data)) { value in
                perform(state.received(value))
                return state.closeReason == nil
            }
        } catch {
            close(reason: error.reason)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(reason: "the server closed the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(reason: ConnectFailure.text(of: error))
    }

    private func perform(_ action: ConnectionState<RequestTicket>.Action) {
        switch action {
        case .none, .refuse: break
        case .write(let deadline):
            if let deadline { schedule(deadline) }
            flushSoon()
        case .complete(let ticket, let replies): ticket.finish(.success(replies))
        case .schedule(let deadline): schedule(deadline)
        case .close(let failures):
            timer?.cancel()
            timer = nil
            context?.close(promise: nil)
            let told = onClose
            onClose = []
            if let reason = state.closeReason { for callback in told { callback(reason) } }
            for failure in failures { failure.ticket.finish(.failure(failure.error)) }
        }
    }

    private func schedule(_ deadline: NIODeadline) {
        timer?.cancel()
        timer = context?.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.perform(self.state.timerFired(now: .now()))
        }
    }

    private func flushSoon() {
        if isFlushScheduled { return }
        isFlushScheduled = true
        context?.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.context?.flush()
        }
    }
}
