// One listener: a socket that is listened on, and its graceful end. What a connection is made of, and how many there may be,
// is in ListenerConnections.swift.

import Logging
import NIOCore
import NIOExtras
import NIOPosix
import ServiceLifecycle

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

/// Serves until a graceful stop or cancellation. Connections are accepted on a thread that does nothing else, and set up on
/// their event loops: however many calls wait for a core, a newcomer gets its connection, and health checks their answer.
struct Listener: Sendable {
    /// Connections that the system keeps until they are accepted; it cuts this to what it allows.
    private static let backlog: Int32 = 4_096

    let kind: ListenerKind
    let address: ListenAddress
    let connections: ListenerConnections
    let group: any EventLoopGroup
    let logger: Logger
    let onListening: @Sendable (ListenAddress) -> Void
    /// Ends what would go on for as long as its clients like.
    let onStopping: @Sendable () -> Void

    func run(acceptingOn acceptor: any EventLoopGroup) async throws {
        let (arrivals, arrived) = AsyncStream.makeStream(of: FrameworkConnection.self)
        let quiescing = ServerQuiescingHelper(group: acceptor)
        let server = try await bind(acceptor, quiescing, arrived)
        announce(server)
        let ended = server.eventLoop.makePromise(of: Void.self)
        ended.futureResult.whenComplete { _ in arrived.finish() }
        // However it ends, those that are connected get their answers first.
        server.closeFuture.whenComplete { _ in quiescing.initiateShutdown(promise: ended) }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withDiscardingTaskGroup { group in
                    for await connection in arrivals { group.addTask { await connection.serve() } }
                }
            } onGracefulShutdown: {
                onStopping()
                quiescing.initiateShutdown(promise: nil)
            }
        } onCancel: {
            server.close(promise: nil)
        }
    }

    private func bind(
        _ acceptor: any EventLoopGroup, _ quiescing: ServerQuiescingHelper,
        _ arrived: AsyncStream<FrameworkConnection>.Continuation
    ) async throws -> any Channel {
        do {
            return try await ServerBootstrap(group: acceptor, childGroup: group)
                .serverChannelOption(.backlog, value: Listener.backlog)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = quiescing.makeServerChannelHandler(channel: channel)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try connections.setUp(channel) { arrived.yield($0) } }
                }
                .bind(host: address.host, port: address.port).get()
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
