// One open connection that Redis has let in, usable from any thread. A call is formatted on the caller's thread, costs
// one hop to the event loop, and ends with an answer or by its deadline. A closed connection stays closed.

import NIOCore

/// The same calls as `RedisClient`, on one given connection: what is sent here is never sent on another.
final class RedisConnection: RedisLink {
    package let generation: UInt64
    package var surroundings: any Surroundings { SystemSurroundings(eventLoop: channel.eventLoop) }
    package var defaultTimeout: Duration { limits.commandTimeout }
    private let channel: any Channel
    private let handler: NIOLoopBound<ConnectionHandler>?
    private let limits: RedisLimits
    private let budget: PendingBudget

    init(channel: any Channel, generation: UInt64, limits: RedisLimits) async {
        self.channel = channel
        self.generation = generation
        self.limits = limits
        budget = PendingBudget(limits: limits)
        // Fails only where the channel is closed already and has lost its handlers.
        handler = try? await channel.eventLoop.submit {
            let handler = try channel.pipeline.syncOperations.handler(type: ConnectionHandler.self)
            return NIOLoopBound(handler, eventLoop: channel.eventLoop)
        }.get()
    }

    package func pipeline(
        _ commands: [RedisCommand], timeout: Duration?
    ) async throws(RedisError) -> [RedisValue] {
        if commands.isEmpty { return [] }
        let deadline = NIODeadline.now() + TimeAmount(timeout ?? limits.commandTimeout)
        return try await withCheckedContinuation { continuation in
            if let error = submit(commands, deadline: deadline, caller: .task(continuation)) {
                continuation.resume(returning: .failure(error))
            }
        }.get()
    }

    package func post(_ command: RedisCommand, onFailure: @escaping @Sendable (RedisError) -> Void) {
        let deadline = NIODeadline.now() + TimeAmount(limits.commandTimeout)
        if let error = submit([command], deadline: deadline, caller: .nobody(onFailure: onFailure)) { onFailure(error) }
    }

    package func close(reason: String) {
        guard let handler else { return }
        channel.eventLoop.execute { handler.value.close(reason: reason) }
    }

    /// Calls back on the event loop.
    package func whenClosed(_ callback: @escaping @Sendable (_ reason: String) -> Void) {
        guard let handler else { return callback("closed") }
        channel.eventLoop.execute { handler.value.whenClosed(callback) }
    }

    package func waitUntilClosed() async { try? await channel.closeFuture.get() }

    /// An error means that nothing was sent and the caller was not taken.
    private func submit(
        _ commands: [RedisCommand], deadline: NIODeadline, caller: RequestTicket.Caller
    ) -> RedisError? {
        let operation = commands[0].operation
        guard let handler, let bytes = CommandFormatter.format(commands) else {
            return .unavailable(operation: operation, reason: handler == nil ? "closed" : "no memory")
        }
        guard budget.take(commands: commands.count, bytes: bytes.readableBytes) else {
            return .overloaded(operation: operation)
        }
        let ticket = RequestTicket(
            caller: caller, budget: budget, commands: commands.count, bytes: bytes.readableBytes)
        let request = Request(ticket: ticket, operation: operation, bytes: bytes, deadline: deadline)
        if channel.eventLoop.inEventLoop {
            handler.value.send(request)
        } else {
            channel.eventLoop.execute { handler.value.send(request) }
        }
        return nil
    }
}
