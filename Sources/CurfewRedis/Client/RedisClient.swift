// One command connection that comes back by itself. Calls never wait for a connection: without one they fail at once, so
// that a node's callers get their 503 in time. All traffic is on one event loop; all of this may be called from any thread.

import Logging
import Synchronization

/// A pipelined client for one Redis. `run()` has to run for it to connect.
package final class RedisClient: Sendable {
    private let transport: any RedisTransport
    private let limits: RedisLimits
    private let logger: Logger
    private let presence = Presence()
    private let lostPublishes = Atomic<UInt64>(0)

    package init(transport: any RedisTransport, limits: RedisLimits = RedisLimits(), logger: Logger) {
        var logger = logger
        logger[metadataKey: "redis"] = "\(transport.name)"
        self.transport = transport
        self.limits = limits
        self.logger = logger
    }

    /// Connects, and again whenever the connection is lost, until its task is cancelled; then closes and returns.
    /// Run it once.
    /// - Parameters:
    ///   - onConnect: gets each new connection before anybody else may send on it; where it throws, the connection is
    ///     closed and another one tried after a pause.
    ///   - onDisconnect: after the end of a connection whose `onConnect` had returned, before the next one's.
    package func run(
        onConnect: @escaping @Sendable (any RedisLink) async throws -> Void = { _ in },
        onDisconnect: @escaping @Sendable () -> Void = {}
    ) async {
        let loop = ReconnectLoop(limits: limits, surroundings: transport.surroundings, logger: logger)
        await loop.run { () throws(RedisError) in
            do throws(RedisError) {
                let connection = try await transport.connect(generation: presence.nextGeneration())
                let ended = await withTaskCancellationHandler {
                    await live(on: connection, onConnect, onDisconnect)
                } onCancel: {
                    connection.close(reason: "stopped")
                }
                return try ended.get()
            } catch {
                presence.away(reason: ConnectFailure.reason(of: error))
                throw error
            }
        }
        presence.stop()
    }

    /// Why there is no connection, or why there was none before this one.
    package var reason: String { presence.reason }

    /// The connection that serves calls now, for those that must not be moved to another one; `nil` while there is none.
    package var connection: (any RedisLink)? { try? presence.connection(for: "") }

    /// Number of the connection that serves calls now or served them last; 0 before the first.
    package var generation: UInt64 { presence.generation }

    /// Returns once calls can be sent; throws `.unavailable` with the last reason at the deadline or when stopped.
    package func waitUntilConnected(timeout: Duration) async throws(RedisError) {
        try await presence.wait(timeout: timeout, in: transport.surroundings)
    }

    /// Closes the connection now, as when it is suspected to be half-open; `run()` makes a new one.
    package func drop(reason: String) { connection?.close(reason: reason) }

    /// See `RedisLink.send`. Fails at once with `.unavailable` while there is no connection.
    package func send(_ command: RedisCommand, timeout: Duration? = nil) async throws(RedisError) -> RedisValue {
        try await presence.connection(for: command.operation).send(command, timeout: timeout)
    }

    /// See `RedisLink.pipeline`.
    package func pipeline(
        _ commands: [RedisCommand], timeout: Duration? = nil
    ) async throws(RedisError) -> [RedisValue] {
        guard let first = commands.first else { return [] }
        return try await presence.connection(for: first.operation).pipeline(commands, timeout: timeout)
    }

    /// See `RedisLink.evaluate`.
    package func evaluate(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument] = [], timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        try await presence.connection(for: script.name)
            .evaluate(script, keys: keys, arguments: arguments, timeout: timeout)
    }

    /// See `RedisLink.run`.
    package func run(_ call: RedisScriptCall) async throws(RedisError) -> RedisValue {
        try await presence.connection(for: call.script.name).run(call)
    }

    /// See `RedisLink.evaluateAll`.
    package func evaluateAll(
        _ calls: [RedisScriptCall], then commands: [RedisCommand] = [], timeout: Duration? = nil
    ) async throws(RedisError) -> [RedisValue] {
        guard let operation = calls.first?.script.name ?? commands.first?.operation else { return [] }
        return try await presence.connection(for: operation).evaluateAll(calls, then: commands, timeout: timeout)
    }

    /// Publishes and forgets: never waits, may be called on an event loop. Without a connection, past a bound, or when the
    /// connection ends first, the message is lost and counted.
    package func publish(channel: String, message: [UInt8], _ kind: PubSub = .ordinary) {
        let command = RedisCommand(kind.publish, [RedisArgument(channel), RedisArgument(message)])
        guard let connection else {
            lostPublishes.wrappingAdd(1, ordering: .relaxed)
            return
        }
        connection.post(command) { [weak self] _ in self?.lostPublishes.wrappingAdd(1, ordering: .relaxed) }
    }

    /// Messages that `publish` could not hand over for certain.
    package var lostPublishCount: UInt64 { lostPublishes.load(ordering: .relaxed) }

    /// The life of one connection: the hook alone on it, then everybody, until it ends.
    private func live(
        on connection: any RedisLink, _ onConnect: (any RedisLink) async throws -> Void, _ onDisconnect: () -> Void
    ) async -> Result<String, RedisError> {
        do {
            try await onConnect(connection)
        } catch {
            connection.close(reason: "onConnect failed")
            await connection.waitUntilClosed()
            return .failure(.unavailable(operation: "connect", reason: ConnectFailure.text(of: error)))
        }
        presence.here(connection)
        logger.debug("connected", metadata: ["connection": "\(connection.generation)"])
        connection.whenClosed { [presence] in presence.away(reason: $0) }
        await connection.waitUntilClosed()
        onDisconnect()
        return .success(presence.reason)
    }
}
