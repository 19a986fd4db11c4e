// One open connection to one Redis, and the ways to get one: the seam below which there are sockets, or a simulation.
// Everything above it (who reconnects, who may send when, what a reply counts for) is the same code on both.

/// One connection that Redis has let in, usable from any thread. A closed one stays closed.
///
/// Cancelling a task does not end its call: the deadline does, or the end of the connection.
package protocol RedisLink: AnyObject, Sendable {
    /// Which of its client's connections this is; counts up from 1.
    var generation: UInt64 { get }
    /// The deadline of a call that names none.
    var defaultTimeout: Duration { get }
    var surroundings: any Surroundings { get }

    /// Several commands in one write with nothing between them; one deadline for all. Replies come in their order, error
    /// replies stay values. Errors name the first command.
    func pipeline(_ commands: [RedisCommand], timeout: Duration?) async throws(RedisError) -> [RedisValue]
    /// Sends without waiting, from any thread; the reply is dropped. `onFailure` hears of everything but an error reply.
    func post(_ command: RedisCommand, onFailure: @escaping @Sendable (RedisError) -> Void)
    /// Closes now, from any thread; whoever waits fails with `.closed`.
    func close(reason: String)
    /// Calls back when the connection ends, before anybody's call fails because of it; at once where it has ended.
    func whenClosed(_ callback: @escaping @Sendable (_ reason: String) -> Void)
    /// Returns once it is closed.
    func waitUntilClosed() async
}

extension RedisLink {
    /// One command. An error reply is thrown as `.server`.
    package func send(_ command: RedisCommand, timeout: Duration? = nil) async throws(RedisError) -> RedisValue {
        let replies = try await pipeline([command], timeout: timeout)
        return try replies[0].checked(for: command.operation)
    }

    package func pipeline(_ commands: [RedisCommand]) async throws(RedisError) -> [RedisValue] {
        try await pipeline(commands, timeout: nil)
    }

    /// One call of a script: by digest, and by its text where Redis does not know it.
    package func evaluate(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument] = [], timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        let call = RedisScriptCall(script, keys: keys, arguments: arguments)
        return try await evaluateAll([call], timeout: timeout)[0].checked(for: script.name)
    }

    /// One call of a script with the default deadline.
    package func run(_ call: RedisScriptCall) async throws(RedisError) -> RedisValue {
        try await evaluateAll([call])[0].checked(for: call.script.name)
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
        let timeout = timeout ?? defaultTimeout
        let end = surroundings.uptime + timeout
        var replies = try await pipeline(calls.map(\.byDigest) + commands, timeout: timeout)
        let unknown = calls.indices.filter { replies[$0].isUnknownScript }
        if unknown.isEmpty { return replies }
        let again = try await pipeline(
            unknown.map { calls[$0].bySource } + commands, timeout: max(.zero, end - surroundings.uptime))
        for (position, index) in unknown.enumerated() { replies[index] = again[position] }
        for index in commands.indices { replies[calls.count + index] = again[unknown.count + index] }
        return replies
    }
}

/// Whom a subscription tells. Calls come one after the other, in Redis' order, on a thread that must not be blocked.
package struct SubscriberCallbacks: Sendable {
    /// May already be called before `onSubscribed`, for channels that are confirmed.
    package let onMessage: @Sendable (_ channel: String, _ message: [UInt8]) -> Void
    /// Every channel is confirmed, on a new connection.
    package let onSubscribed: @Sendable () -> Void
    /// A connection for which `onSubscribed` was called has ended.
    package let onLost: @Sendable () -> Void

    package init(
        onMessage: @escaping @Sendable (_ channel: String, _ message: [UInt8]) -> Void,
        onSubscribed: @escaping @Sendable () -> Void = {}, onLost: @escaping @Sendable () -> Void = {}
    ) {
        self.onMessage = onMessage
        self.onSubscribed = onSubscribed
        self.onLost = onLost
    }
}

/// How to reach one Redis.
package protocol RedisTransport: Sendable {
    /// Where it is, for logs; never with a password.
    var name: String { get }
    var surroundings: any Surroundings { get }
    /// Which server that leads to now, for operators; never with a password.
    var address: String { get }
    /// How long that server may be silent before others think of replacing it; `nil` where nobody does, or nobody said.
    var failoverDelay: Duration? { get }

    /// A new connection that Redis has let in.
    func connect(generation: UInt64) async throws(RedisError) -> any RedisLink
    /// Subscribes, then delivers until the connection or the task ends; returns why it ended. Throws where no subscription
    /// came about.
    func subscribe(
        to channels: [String], _ kind: PubSub, _ callbacks: SubscriberCallbacks
    ) async throws(RedisError) -> String
    /// Watches for another server to take over, and ends the connections to the former one; until the task is cancelled, or
    /// at once where there is nothing to watch.
    func watch() async
}

/// One server, always the same.
extension RedisTransport {
    package var address: String { name }
    package var failoverDelay: Duration? { nil }
    package func watch() async {}
}
