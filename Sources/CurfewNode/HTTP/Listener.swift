// One listener: Hummingbird's server with our own child channel, whose only codec is `ConnectionHandler`. Connections are
// counted here, so that the one too many gets a written answer instead of waiting in the kernel.

import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Why a listener could not start: one line.
package struct ListenerError: Error, Sendable, Equatable, CustomStringConvertible {
    package let address: ListenAddress
    package let reason: String

    package var description: String { "cannot listen on \(address): \(reason)" }
}

/// The child channel of both listeners.
struct ListenerChannel: ServerChildChannel, HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    /// Past the maximum so many more get an answer; beyond that they are closed without one.
    private static let refusalsAtOnce = 1_000

    let responder: HTTPChannelHandler.Responder
    let settings: ConnectionSettings
    let maximumConnections: Int
    private let connections = ConnectionCount()

    init(responder: Responder, settings: ConnectionSettings, maximumConnections: Int) {
        self.responder = { request, writer, _ in try await responder.respond(to: request, with: writer) }
        self.settings = settings
        self.maximumConnections = maximumConnections
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let count = connections.increment()
            channel.closeFuture.whenComplete { [connections] _ in connections.decrement() }
            // Never a thrown error: it would reach the accepting channel and end the listener.
            let handler = ConnectionHandler(settings: settings, admission: admission(ofConnection: count))
            try channel.pipeline.syncOperations.addHandler(handler, position: .first)
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    private func admission(ofConnection count: Int) -> ConnectionHandler.Admission {
        if count <= maximumConnections { return .welcome }
        return count <= maximumConnections + ListenerChannel.refusalsAtOnce ? .oneTooMany : .unwelcome
    }

    func handle(value channel: Value, logger: Logger) async { await handleHTTP(asyncChannel: channel, logger: logger) }
}

/// How many connections a listener has.
private final class ConnectionCount: Sendable {
    private let count = Atomic(0)

    func increment() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
    func decrement() { count.wrappingSubtract(1, ordering: .relaxed) }
}

/// Serves until a graceful stop or cancellation.
struct Listener: Sendable {
    let kind: ListenerKind
    let address: ListenAddress
    let channel: ListenerChannel
    let group: any EventLoopGroup
    let logger: Logger
    let onListening: @Sendable (ListenAddress) -> Void

    func run() async throws {
        var quiet = logger
        quiet.logLevel = .critical
        let server = Server(
            childChannelSetup: channel,
            configuration: ServerConfiguration(address: .hostname(address.host, port: address.port), backlog: 1_024),
            onServerRunning: { channel in announce(channel) },
            eventLoopGroup: group, logger: quiet)
        do {
            try await server.run()
        } catch let error as IOError {
            throw ListenerError(address: address, reason: error.localizedReason)
        }
    }

    private func announce(_ channel: any Channel) {
        let bound = ListenAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
        logger.info("listening", metadata: ["listener": "\(kind.rawValue)", "address": "\(bound)"])
        onListening(bound)
    }
}

extension IOError {
    fileprivate var localizedReason: String {
        switch errnoCode {
        case EADDRINUSE: "the address is in use"
        case EACCES: "not permitted"
        case EADDRNOTAVAIL: "this machine does not have the address"
        default: "\(self)"
        }
    }
}
