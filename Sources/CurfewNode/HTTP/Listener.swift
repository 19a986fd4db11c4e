// One listener: a socket that is listened on, and its graceful end. What a connection is made of, and how many there may be,
// is in ListenerConnections.swift; the reactors that most connections begin with are in Front.

import Logging
import NIOCore
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

/// Serves until a graceful stop or cancellation. Connections are accepted on a thread that works on no call, and set up on
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
        let door = try await open(acceptor, arrived)
        announce(door.port)
        // However it ends, those that are connected get their answers first; so do those that are being set up.
        door.closed.whenComplete { _ in
            EventLoopFuture.andAllComplete(loops.map { $0.submit {} }, on: loops[0])
                .whenComplete { _ in connections.open.stop { arrived.finish() } }
        }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withDiscardingTaskGroup { group in
                    for await connection in arrivals { group.addTask { await connection.serve() } }
                }
            } onGracefulShutdown: {
                onStopping()
                door.close()
            }
        } onCancel: {
            door.close()
        }
    }

    private var loops: [any EventLoop] { Array(group.makeIterator()) }

    private func open(
        _ acceptor: any EventLoopGroup, _ arrived: AsyncStream<FrameworkConnection>.Continuation
    ) async throws -> any Door {
        do {
            #if os(Linux)
                if let turn = FastTurn(connections.settings) { return try reactors(turn, arrived) }
            #endif
            return ChannelDoor(try await bind(acceptor, arrived))
        } catch let error as IOError {
            throw ListenerError(address: address, reason: error.localizedReason)
        }
    }

    private func bind(
        _ acceptor: any EventLoopGroup, _ arrived: AsyncStream<FrameworkConnection>.Continuation
    ) async throws -> any Channel {
        try await ServerBootstrap(group: acceptor, childGroup: group)
            .serverChannelOption(.backlog, value: Listener.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let place = ConnectionPlace(in: connections.open)
                    try connections.setUp(channel, place) { arrived.yield($0) }
                }
            }
            .bind(host: address.host, port: address.port).get()
    }

    #if os(Linux)
        private func reactors(
            _ turn: FastTurn, _ arrived: AsyncStream<FrameworkConnection>.Continuation
        ) throws -> any Door {
            let (connections, group) = (connections, group)
            let surroundings = Reactor.Surroundings(
                turn: turn, maximumConnections: connections.maximum, idleTimeout: connections.settings.idleTimeout
            ) { socket, place, carried, isWelcome in
                ClientBootstrap(group: group)
                    .channelOption(.allowRemoteHalfClosure, value: true)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try connections.setUp(channel, place, carried, isWelcome: isWelcome) { arrived.yield($0) }
                        }
                    }
                    .withConnectedSocket(socket)
                    .whenFailure { _ in place.leave() }
            }
            let resolved = try SocketAddress.makeAddressResolvingHost(address.host, port: address.port)
            do throws(SystemError) {
                return try ReactorDoor(
                    resolved, backlog: Listener.backlog,
                    threads: loops.count,
                    connections: connections.open, surroundings, on: group.next())
            } catch {
                throw IOError(errnoCode: error.number, reason: "listen")
            }
        }
    #endif

    private func announce(_ port: Int?) {
        let bound = ListenAddress(host: address.host, port: port ?? address.port)
        logger.info("listening", metadata: ["listener": "\(kind.rawValue)", "address": "\(bound)"])
        onListening(bound)
    }
}

/// Where a listener's connections come in.
protocol Door: Sendable {
    /// The port that it really has.
    var port: Int? { get }
    /// Succeeds once nobody gets in any more.
    var closed: EventLoopFuture<Void> { get }
    func close()
}

/// One that NIO accepts at.
struct ChannelDoor: Door {
    private let channel: any Channel

    init(_ channel: any Channel) { self.channel = channel }

    var port: Int? { channel.localAddress?.port }
    var closed: EventLoopFuture<Void> { channel.closeFuture }
    func close() { channel.close(promise: nil) }
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
