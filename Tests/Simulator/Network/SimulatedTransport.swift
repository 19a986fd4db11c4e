// How a simulated node reaches Redis: it dials whoever is the primary as far as it knows. The same two calls as a real transport.

import CurfewRedis

// `@unchecked Sendable`: one thread runs the whole simulation.
final class SimulatedTransport: RedisTransport, @unchecked Sendable {
    private let process: SimulatedProcess
    private unowned let deployment: Deployment
    private let limits: RedisLimits

    init(process: SimulatedProcess, deployment: Deployment, limits: RedisLimits) {
        self.process = process
        self.deployment = deployment
        self.limits = limits
    }

    let name = "redis://simulated/0"
    var surroundings: any Surroundings { process }

    func connect(generation: UInt64) async throws(RedisError) -> any RedisLink {
        let connection = try await dial("connect")
        let link = SimulatedLink(
            generation: generation, process: process, connection: connection, timeout: limits.commandTimeout)
        let greeting = try await link.pipeline([RedisCommand("PING")], timeout: limits.connectTimeout)
        if case .error(let message) = greeting[0] {
            link.close(reason: "not let in")
            throw .unavailable(operation: "connect", reason: message)
        }
        return link
    }

    func subscribe(
        to channels: [String], _ kind: PubSub, _ callbacks: SubscriberCallbacks
    ) async throws(RedisError) -> String {
        let connection = try await dial("SUBSCRIBE")
        let subscription = Subscription(
            process: process, connection: connection, channels: channels, heartbeat: limits.heartbeat,
            callbacks: callbacks)
        return await withTaskCancellationHandler {
            await subscription.run()
        } onCancel: {
            process.call { subscription.end("stopped") }
        }
    }

    private func dial(_ operation: String) async throws(RedisError) -> SimulatedConnection {
        let connection = deployment.newConnection(from: process)
        let result: Result<Void, RedisError> = await withCheckedContinuation { continuation in
            var isDecided = false
            func decide(_ result: Result<Void, RedisError>) {
                if isDecided { return }
                isDecided = true
                if case .failure = result { connection.closeAtNode() }
                continuation.resume(returning: result)
            }
            func failed(_ reason: String) -> Result<Void, RedisError> {
                .failure(.unavailable(operation: operation, reason: reason))
            }
            connection.onClosedByServer = { decide(failed("refused")) }
            connection.toServer {
                guard connection.server.accept(connection) else { return connection.closeAtServer() }
                connection.toNode { decide(.success(())) }
            }
            process.after(limits.connectTimeout) { decide(failed("no connection in time")) }
        }
        try result.get()
        return connection
    }
}

/// A subscriber's connection: confirmed, then messages and heartbeats.
private final class Subscription: @unchecked Sendable {  // one thread runs the whole simulation
    private let process: SimulatedProcess
    private let connection: SimulatedConnection
    private let channels: [String]
    private let heartbeat: Duration
    private let callbacks: SubscriberCallbacks
    private var isLive = false
    private var isHeard = true
    private var reason: String?
    private var whenEnded: ((String) -> Void)?

    init(
        process: SimulatedProcess, connection: SimulatedConnection, channels: [String], heartbeat: Duration,
        callbacks: SubscriberCallbacks
    ) {
        self.process = process
        self.connection = connection
        self.channels = channels
        self.heartbeat = heartbeat
        self.callbacks = callbacks
        connection.onClosedByServer = { [self] in end("the server closed the connection") }
    }

    func run() async -> String {
        connection.toServer { [self] in
            connection.listen(to: Set(channels)) { [self] in heard($0, $1) }
            connection.toNode { [self] in confirmed() }
        }
        beat()
        return await withCheckedContinuation { continuation in
            if let reason { return continuation.resume(returning: reason) }
            whenEnded = { continuation.resume(returning: $0) }
        }
    }

    func end(_ reason: String) {
        guard self.reason == nil else { return }
        self.reason = reason
        connection.closeAtNode()
        if isLive { callbacks.onLost() }
        whenEnded?(reason)
    }

    private func heard(_ channel: String, _ message: [UInt8]) {
        guard reason == nil else { return }
        isHeard = true
        callbacks.onMessage(channel, message)
    }

    private func confirmed() {
        guard reason == nil else { return }
        isLive = true
        isHeard = true
        callbacks.onSubscribed()
    }

    private func beat() {
        process.after(heartbeat) { [self] in
            guard reason == nil else { return }
            guard isHeard else { return end("no heartbeat in time") }
            isHeard = false
            connection.toServer { [self] in
                connection.toNode { [self] in isHeard = true }
            }
            beat()
        }
    }
}
