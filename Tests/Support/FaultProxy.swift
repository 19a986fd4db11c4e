// A TCP proxy on loopback, or at the far end of a wire, that misbehaves on request: holds everything back, delays, cuts, refuses.
// All of its state lives on one event loop. Held bytes are kept and delivered later, as a healed network would.

import NIOCore
import NIOPosix

/// What a proxy does with the bytes between a client and its upstream.
package enum FaultProxyMode: Sendable, Equatable {
    case forward
    /// Connections are accepted and stay open, nothing passes either way (ends of connections included).
    case blackhole
    /// Everything passes this much later, in order.
    case delay(Duration)
}

/// A proxy in front of one server.
package final class FaultProxy: Sendable {
    package enum Upstream: Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// Where clients connect, the same for the proxy's life.
    package let host: String
    package let port: Int
    package let wire: Wire?
    private let eventLoop: any EventLoop
    private let core: NIOLoopBound<FaultProxyCore>

    private init(port: Int, wire: Wire?, eventLoop: any EventLoop, core: NIOLoopBound<FaultProxyCore>) {
        host = wire?.far ?? "127.0.0.1"
        self.port = port
        self.wire = wire
        self.eventLoop = eventLoop
        self.core = core
    }

    package static func start(to upstream: Upstream, over wire: Wire? = nil) async throws -> FaultProxy {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let core = try await eventLoop.submit {
            NIOLoopBound(FaultProxyCore(upstream: upstream, wire: wire, eventLoop: eventLoop), eventLoop: eventLoop)
        }.get()
        let port = try findFreePort()
        try await eventLoop.flatSubmit { core.value.listen(port: port) }.get()
        return FaultProxy(port: port, wire: wire, eventLoop: eventLoop, core: core)
    }

    /// Takes effect on open and on new connections before it returns; what was held back is sent on.
    package func set(_ mode: FaultProxyMode) async throws {
        let core = core
        try await eventLoop.submit { core.value.set(mode) }.get()
    }

    /// Closes every open connection, both sides. New ones are accepted.
    package func dropAll() async throws {
        let core = core
        try await eventLoop.submit { core.value.dropAll() }.get()
    }

    /// Aborts every open connection, both sides: the ends are told with a reset. New ones are accepted.
    package func resetAll() async throws {
        let core = core
        try await eventLoop.submit { core.value.resetAll() }.get()
    }

    /// New connections go to another server; open ones stay where they lead.
    package func redirect(to upstream: Upstream) async throws {
        let core = core
        try await eventLoop.submit { core.value.upstream = upstream }.get()
    }

    /// New connections are refused (nothing listens); open ones stay.
    package func refuse() async throws {
        let core = core
        try await eventLoop.flatSubmit { core.value.stopListening() }.get()
    }

    /// Ends `refuse()`.
    package func accept() async throws {
        let core = core
        let port = port
        try await eventLoop.flatSubmit { core.value.listen(port: port) }.get()
    }

    /// Clients that are connected now.
    package func connectionCount() async throws -> Int {
        let core = core
        return try await eventLoop.submit { core.value.clientCount }.get()
    }

    package func stop() async throws {
        try await refuse()
        try await dropAll()
    }
}

/// The proxy's state, on its event loop only.
final class FaultProxyCore {
    var upstream: FaultProxy.Upstream
    private let wire: Wire?
    private let eventLoop: any EventLoop
    private var listener: (any Channel)?
    private(set) var mode = FaultProxyMode.forward
    private var legs: [ObjectIdentifier: FaultProxyLeg] = [:]

    var clientCount: Int { legs.values.count { $0.isClient } }

    init(upstream: FaultProxy.Upstream, wire: Wire?, eventLoop: any EventLoop) {
        self.upstream = upstream
        self.wire = wire
        self.eventLoop = eventLoop
    }

    func listen(port: Int) -> EventLoopFuture<Void> {
        if listener != nil { return eventLoop.makeSucceededVoidFuture() }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let bootstrap = ServerBootstrap(group: eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try bound.value.accept(channel) }
            }
        let listener: EventLoopFuture<any Channel>
        do {
            listener =
                try wire.map { bootstrap.withBoundSocket(try $0.listen(port: port)) }
                ?? bootstrap.bind(host: "127.0.0.1", port: port)
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        return listener.map { bound.value.listener = $0 }
    }

    func stopListening() -> EventLoopFuture<Void> {
        guard let listener else { return eventLoop.makeSucceededVoidFuture() }
        self.listener = nil
        return listener.close()
    }

    func set(_ mode: FaultProxyMode) {
        self.mode = mode
        for leg in legs.values { leg.pump() }
    }

    func dropAll() {
        for leg in legs.values { leg.drop() }
    }

    func resetAll() {
        for leg in legs.values { leg.makeEndAbrupt() }
        dropAll()
    }

    func gone(_ leg: FaultProxyLeg) {
        legs[ObjectIdentifier(leg)] = nil
    }

    private func accept(_ channel: any Channel) throws {
        let client = FaultProxyLeg(core: self, isClient: true)
        let server = FaultProxyLeg(core: self, isClient: false)
        client.peer = server
        server.peer = client
        for leg in [client, server] { legs[ObjectIdentifier(leg)] = leg }
        try channel.pipeline.syncOperations.addHandler(client)
        let legs = NIOLoopBound((client, server), eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(legs.value.1) }
        }
        let connected =
            switch upstream {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        connected.whenFailure { _ in
            legs.value.0.drop()
            legs.value.1.drop()
        }
    }
}
