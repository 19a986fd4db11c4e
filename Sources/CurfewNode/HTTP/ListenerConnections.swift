// The connections of one listener: how each is set up, how many there may be, and what happens to the one too many. A
// connection is a `ConnectionHandler` and nothing else until it has a call for the framework: ten thousand that only
// validate, or only wait, have no task between them.

import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import NIOSSL

struct ListenerConnections: Sendable {
    /// Past the maximum so many more get an answer; beyond that they are closed without one.
    static let refusalsAtOnce = 1_000

    let settings: ConnectionSettings
    let maximum: Int
    /// What is put in front of a connection; `nil` for plain HTTP.
    private let security: (@Sendable () -> NIOSSLServerHandler)?
    private let responder: Responder
    private let gate: CallGate
    private let logger: Logger
    let open = OpenConnections()
    /// One an event loop.
    private let rings: [ObjectIdentifier: NIOLoopBoundBox<ConnectionRing>]

    init(
        responder: Responder, settings: ConnectionSettings, maximum: Int,
        security: (@Sendable () -> NIOSSLServerHandler)?, gate: CallGate, group: any EventLoopGroup,
        logger: Logger
    ) {
        self.responder = responder
        self.settings = settings
        self.maximum = maximum
        self.security = security
        self.gate = gate
        self.logger = logger
        var rings: [ObjectIdentifier: NIOLoopBoundBox<ConnectionRing>] = [:]
        for loop in group.makeIterator() {
            rings[ObjectIdentifier(loop)] = .makeBoxSendingValue(ConnectionRing(), eventLoop: loop)
        }
        self.rings = rings
    }

    /// Makes a channel a connection. `carried`: what a reactor has read and not answered, or not written; `isWelcome`: it found that there is
    /// room. `onFirstCall` gets the connection when it has a call for the framework.
    func setUp(
        _ channel: any Channel, _ seat: ConnectionPlace, _ carried: CarriedBytes = CarriedBytes(),
        isWelcome: Bool = false,
        onFirstCall: @escaping @Sendable (FrameworkConnection) -> Void
    ) throws {
        open.watch(channel, seat)
        let ring = rings[ObjectIdentifier(channel.eventLoop)]?.value
        let place = CallPlace(gate: gate)
        let admission = isWelcome ? .welcome : admission(of: seat.number, ring)
        let handler = ConnectionHandler(
            settings: settings, admission: admission, place: place, carried: carried,
            attach: { [responder, logger] channel in
                let bridge = FrameworkBridge(responder, place: place)
                let attached = bridge.setup(channel: channel, logger: logger)
                attached.whenSuccess { onFirstCall(.init(bridge: bridge, channel: $0, place: place, logger: logger)) }
                attached.whenFailure { _ in
                    place.end()
                    channel.close(promise: nil)
                }
            })
        try channel.pipeline.syncOperations.addHandler(handler, position: .first)
        if let security { try channel.pipeline.syncOperations.addHandler(security(), position: .first) }
        // One that goes anyway makes room for nobody.
        if admission == .welcome { ring?.add(handler) }
    }

    private func admission(of number: Int, _ ring: ConnectionRing?) -> ConnectionHandler.Admission {
        if number <= maximum || ring?.makeRoom() == true { return .welcome }
        return number <= maximum + Self.refusalsAtOnce ? .oneTooMany : .unwelcome
    }
}

/// A connection that has calls: Hummingbird's loop over them.
struct FrameworkConnection: Sendable {
    fileprivate let bridge: FrameworkBridge
    fileprivate let channel: FrameworkBridge.Value
    fileprivate let place: CallPlace
    fileprivate let logger: Logger

    /// Returns when the connection has ended and nothing is being worked on for it.
    func serve() async {
        await bridge.handle(value: channel, logger: logger)
        place.end()
    }
}

/// From Hummingbird's requests to the responder.
private struct FrameworkBridge: HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder

    init(_ responder: CurfewNode.Responder, place: CallPlace) {
        self.responder = { request, writer, channel in
            try await responder.respond(to: request, from: channel.remoteAddress, with: writer, place: place)
        }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value channel: Value, logger: Logger) async { await handleHTTP(asyncChannel: channel, logger: logger) }
}
