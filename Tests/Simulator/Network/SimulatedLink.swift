// A node's end of a command connection, as the real client uses it: requests are answered in order, a missed deadline ends the
// connection, and whoever waited learns that the outcome is unknown.

import CurfewRedis
import DequeModule

// `@unchecked Sendable`: one thread runs the whole simulation.
final class SimulatedLink: RedisLink, @unchecked Sendable {
    private final class Request {
        let operation: String
        let expected: Int
        var replies: [RedisValue] = []
        let finish: (Result<[RedisValue], RedisError>) -> Void

        init(operation: String, expected: Int, finish: @escaping (Result<[RedisValue], RedisError>) -> Void) {
            self.operation = operation
            self.expected = expected
            self.finish = finish
        }
    }

    let generation: UInt64
    let defaultTimeout: Duration
    private let process: SimulatedProcess
    private let connection: SimulatedConnection
    private var pending: Deque<Request> = []
    private var closeReason: String?
    private var onClose: [(String) -> Void] = []

    init(generation: UInt64, process: SimulatedProcess, connection: SimulatedConnection, timeout: Duration) {
        self.generation = generation
        self.process = process
        self.connection = connection
        defaultTimeout = timeout
        connection.onClosedByServer = { [self] in end(reason: "the server closed the connection", late: nil) }
    }

    var surroundings: any Surroundings { process }

    func pipeline(_ commands: [RedisCommand], timeout: Duration?) async throws(RedisError) -> [RedisValue] {
        guard !commands.isEmpty else { return [] }
        return try await withCheckedContinuation { continuation in
            submit(commands, timeout: timeout ?? defaultTimeout) { continuation.resume(returning: $0) }
        }.get()
    }

    func post(_ command: RedisCommand, onFailure: @escaping @Sendable (RedisError) -> Void) {
        submit([command], timeout: defaultTimeout) { result in
            if case .failure(let error) = result { onFailure(error) }
        }
    }

    func close(reason: String) { process.call { [self] in end(reason: reason, late: nil) } }

    func whenClosed(_ callback: @escaping @Sendable (_ reason: String) -> Void) {
        if let closeReason { callback(closeReason) } else { onClose.append(callback) }
    }

    func waitUntilClosed() async {
        await withCheckedContinuation { continuation in
            if closeReason != nil { return continuation.resume() }
            onClose.append { _ in continuation.resume() }
        }
    }

    private func submit(
        _ commands: [RedisCommand], timeout: Duration, finish: @escaping (Result<[RedisValue], RedisError>) -> Void
    ) {
        let operation = commands[0].operation
        if let closeReason { return finish(.failure(.unavailable(operation: operation, reason: closeReason))) }
        let request = Request(operation: operation, expected: commands.count, finish: finish)
        pending.append(request)
        for command in commands {
            connection.toServer { [self] in
                let reply = connection.server.execute(command, from: connection)
                connection.toNode { [self] in received(reply) }
            }
        }
        process.after(timeout) { [self] in
            if pending.contains(where: { $0 === request }) { end(reason: "no answer in time", late: request) }
        }
    }

    private func received(_ reply: RedisValue) {
        guard closeReason == nil, let first = pending.first else { return }
        first.replies.append(reply)
        guard first.replies.count == first.expected else { return }
        pending.removeFirst()
        first.finish(.success(first.replies))
    }

    private func end(reason: String, late: Request?) {
        guard closeReason == nil else { return }
        closeReason = reason
        connection.closeAtNode()
        let callbacks = onClose
        onClose = []
        for callback in callbacks { callback(reason) }
        let waiting = pending
        pending = []
        for request in waiting {
            let error: RedisError =
                request === late
                ? .timeout(operation: request.operation) : .closed(operation: request.operation, reason: reason)
            request.finish(.failure(error))
        }
    }
}
