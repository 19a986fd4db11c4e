// Where `curfew dev` serves the demo: a listener on loopback beside those of the nodes, of this process. A node has no such
// page: `curfew serve` answers 404.
//
// The page's one origin is here, and browsers take every port for another one, so the public calls that it makes pass through
// here to its node, with the device's token added (DemoResponder.swift).

import HummingbirdCore
import Logging
import NIOCore
import NIOPosix

struct DemoListener: Sendable {
    /// Connections at once; more wait until one is closed.
    static let maximumConnections = 256
    private static let maximumHeadBytes = 16 * 1024

    let port: Int
    private let task: Task<Void, any Error>

    /// Listening when it returns. Throws where it can't.
    static func start(_ cluster: DevCluster, port: Int) async throws -> DemoListener {
        let responder = DemoResponder(cluster: cluster)
        let (listening, isListening) = AsyncStream.makeStream(of: Void.self)
        let server = Server(
            childChannelSetup: HTTP1Channel(
                responder: { request, writer, _ in try await responder.respond(to: request, with: writer) },
                configuration: .init(
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: maximumHeadBytes, maxHeaderListSize: maximumHeadBytes,
                        maxHeaderFieldCount: 100))),
            configuration: ServerConfiguration(
                address: .hostname("127.0.0.1", port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(maximumConnections)),
            onServerRunning: { _ in isListening.yield() },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "demo", factory: { _ in SwiftLogNoOpLogHandler() }))
        let task = Task {
            defer { isListening.finish() }
            try await server.run()
        }
        for await _ in listening { return DemoListener(port: port, task: task) }
        do {
            try await task.value
        } catch {
            throw CommandFailure(.usage, "port \(port), for the demo, can't be listened on: \(error)")
        }
        throw CommandFailure(.internal, "the demo ended before it began")
    }

    /// Accepts nobody any more. Connections that are there end with this process: a browser keeps its own for minutes.
    func stop() { task.cancel() }
}
