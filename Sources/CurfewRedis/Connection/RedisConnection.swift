// One open connection that Redis has let in, usable from any thread. A call is formatted on the caller's thread, costs
// one hop to the event loop, and ends with an answer or by its deadline. A closed connection stays closed.

import NIOCore

/// The same calls as `RedisClient`, on one given connection: what is sent here is never sent on another.
///
/// Cancelling a task does not end its call: the deadline does, or the end of the connection.
package final class RedisConnection: Sendable {
    /// Which of its client's connections this is; counts up from 1.
    package let generation: UInt64
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

    /// One command. An error reply is thrown as `.server`.
    package func send(_ command: RedisCommand, timeout: Duration? = nil) async throws(RedisError) -> RedisValue {
        let replies = try await pipeline([command], timeout: timeout)
        return try replies[0].checked(for: command.operation)
    }

    /// Several commands in one write with nothing between them; one deadline for all. Replies come in their order, error
    /// replies stay values. Errors name the first command.
    package func pipeline(
        _ commands: [RedisCommand], timeout: Duration? = nil
    ) async throws(RedisError) -> [RedisValue] {
        try await pipeline(commands, deadline: .now() + TimeAmount(timeout ?? limits.commandTimeout))
    }

    /// One call of a script: by digest, and by its text where Redis does not know it.
    package func evaluate(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument] = [], timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        let call = RedisScriptCall(script, keys: keys, arguments: arguments)
        return try await evaluateAll([call], timeout: timeout)[0].checked(for: script.name)
    }

    /// Several calls of scripts and then `commands` (`WAIT`, say) in one write. Replies come in that order, error replies
    /// stay values.
    ///
    /// Calls whose script Redis did not know have changed nothing; they are sent once more with the text, after the
    /// others, on this same connection, and `commands` again after them (their replies are then the later ones). So calls
    /// that are handed over together must not depend on their order, and `commands` must be harmless to repeat.
    package func evaluateAll(
        _ calls: [RedisScriptCall], then commands: [RedisCommand] = [], timeout: Duration? = nil
    ) async throws(RedisError) -> [RedisValue] {
        let deadline = NIODeadline.now() + TimeAmount(timeout ?? limits.commandTimeout)
        var replies = try await pipeline(calls.map(\.byDigest) + commands, deadline: deadline)
        let unknown = calls.indices.filter { replies[$0].isUnknownScript }
        if unknown.isEmpty { return replies }
        let again = try await pipeline(unknown.map { calls[$0].bySource } + commands, deadline: deadline)
        for (position, index) in unknown.enumerated() { replies[index] = again[position] }
        for index in commands.indices { replies[calls.count + index] = again[unknown.count + index] }
        return replies
    }

    /// Sends without waiting, from any thread; the reply is dropped. `onFailure` hears of everything but an error reply.
    func post(_ command: RedisCommand, onFailure: @escaping @Sendable (RedisError) -> Void) {
        let deadline = NIODeadline.now() + TimeAmount(limits.commandTimeout)
        if let error = submit([command], deadline: deadline, caller: .nobody(onFailure: onFailure)) { onFailure(error) }
    }

    /// Closes now, from any thread; whoever waits fails with `.closed`.
    package func close(reason: String) {
        guard let handler else { return }
        channel.eventLoop.execute { handler.value.close(reason: reason) }
    }

    /// Calls back on the event loop when the connection ends, before anybody's call fails because of it.
    func whenClosed(_ callback: @escaping @Sendable (_ reason: String) -> Void) {
        guard let handler else { return callback("closed") }
        channel.eventLoop.execute { handler.value.whenClosed(callback) }
    }

    /// Returns once the channel is closed.
    func waitUntilClosed() async { try? await channel.closeFuture.get() }

    private func pipeline(
        _ commands: [RedisCommand], deadline: NIODeadline
    ) async throws(RedisError) -> [RedisValue] {
        if commands.isEmpty { return [] }
        return try await withCheckedContinuation { continuation in
            if let error = submit(commands, deadline: deadline, caller: .task(continuation)) {
                continuation.resume(returning: .failure(error))
            }
        }.get()
    }

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
