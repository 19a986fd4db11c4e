// A real listener whose slow path is the test itself: it is told of each request that is handed on and answers when it
// likes. And a client that says bytes and waits for text.

import HTTPTypes
import NIOCore
import NIOHTTPTypes
import NIOPosix
import Synchronization

@testable import CurfewNode

/// Stands where the framework would: keeps each request until the test answers it.
final class SlowPathStub: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundOut = HTTPResponsePart

    /// Answers as soon as a request has ended: its path and how long its body was.
    let answersAtOnce: Bool
    private let state = Mutex<(requests: [String], channel: (any Channel)?, body: Int)>(([], nil, 0))
    private let carried = Mutex<[String]>([])

    init(answersAtOnce: Bool) { self.answersAtOnce = answersAtOnce }

    var requests: [String] { state.withLock { $0.requests } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            state.withLock { state in
                state.requests.append("\(head.method.rawValue) \(head.path ?? "")")
                state.channel = context.channel
                state.body = 0
            }
        case .body(let content): state.withLock { $0.body += content.readableBytes }
        case .end:
            if answersAtOnce { answer(state.withLock { "\($0.requests.last ?? "") \($0.body)" }) }
        }
    }

    /// Of each connection that a reactor handed on: what it had read and not answered.
    var handedOn: [String] { carried.withLock { $0 } }

    func take(_ bytes: CarriedBytes) { carried.withLock { $0.append(String(buffer: bytes.input)) } }

    /// Whether the connection of the last request still stands.
    var isOpen: Bool { state.withLock { $0.channel?.isActive ?? false } }

    /// Begins an answer that has no end, with this.
    func stream(_ text: String) {
        guard let channel = state.withLock({ $0.channel }) else { return }
        channel.write(HTTPResponsePart.head(HTTPResponse(status: .ok)), promise: nil)
        channel.writeAndFlush(HTTPResponsePart.body(ByteBuffer(string: text)), promise: nil)
    }

    /// Answers the oldest request that has none.
    func answer(_ text: String) {
        guard let channel = state.withLock({ $0.channel }) else { return }
        let head = HTTPResponse(status: .ok, headerFields: [.contentLength: String(text.utf8.count)])
        channel.write(HTTPResponsePart.head(head), promise: nil)
        channel.write(HTTPResponsePart.body(ByteBuffer(string: text)), promise: nil)
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
    }
}

/// Collects what a server says.
final class Transcript: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private struct State {
        var text = ""
        var isClosed = false
        var waiters: [(isMet: @Sendable (String, Bool) -> Bool, promise: EventLoopPromise<String>)] = []
    }
    private let state = Mutex(State())

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        change { $0.text += String(buffer: bytes) }
    }

    func channelInactive(context: ChannelHandlerContext) { change { $0.isClosed = true } }

    private func change(_ body: (inout State) -> Void) {
        let met = state.withLock { state in
            body(&state)
            let met = state.waiters.filter { $0.isMet(state.text, state.isClosed) }.map { ($0.promise, state.text) }
            state.waiters.removeAll { $0.isMet(state.text, state.isClosed) }
            return met
        }
        for (promise, text) in met { promise.succeed(text) }
    }

    /// The text, once it is as `isMet` wants it; fails after ten seconds.
    func wait(
        on loop: any EventLoop, until isMet: @escaping @Sendable (_ text: String, _ isClosed: Bool) -> Bool
    ) async throws -> String {
        let promise = loop.makePromise(of: String.self)
        let deadline = loop.scheduleTask(in: .seconds(10)) { promise.fail(ChannelError.connectTimeout(.seconds(10))) }
        change { $0.waiters.append((isMet, promise)) }
        change { _ in }
        defer { deadline.cancel() }
        return try await promise.futureResult.get()
    }
}

/// Who has a connection first.
enum Front: CaseIterable, Sendable {
    case channel
    #if os(Linux)
        case reactor
    #endif
}

/// One connection to a `ConnectionHandler` with real sockets, through a reactor or not.
struct SocketFixture {
    let slow: SlowPathStub
    let transcript = Transcript()
    let client: any Channel
    private let door: any Door
    private let open = OpenConnections()

    init(
        _ front: Front = .channel, fastPath: FastPath? = nil, answersAtOnce: Bool = true,
        admission: ConnectionHandler.Admission = .welcome, place: CallPlace? = nil, maximum: Int = 100,
        _ change: @Sendable (inout ConnectionSettings) -> Void = { _ in }
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        var settings = ConnectionSettings(bodyLimit: { _ in 1024 }, fastPath: fastPath)
        change(&settings)
        let (slow, transcript) = (SlowPathStub(answersAtOnce: answersAtOnce), transcript)
        self.slow = slow
        let setUp: @Sendable (any Channel, CarriedBytes, ConnectionHandler.Admission) -> EventLoopFuture<Void> = {
            [settings, open] channel, carried, admission in
            channel.eventLoop.makeCompletedFuture {
                let handler = ConnectionHandler(
                    settings: settings, admission: admission, place: place, carried: carried)
                open.watch(channel, ConnectionPlace(in: open))
                try channel.pipeline.syncOperations.addHandler(handler)
                try channel.pipeline.syncOperations.addHandler(slow)
            }
        }
        switch front {
        case .channel:
            door = ChannelDoor(
                try await ServerBootstrap(group: group)
                    .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
                    .childChannelInitializer { setUp($0, CarriedBytes(), admission) }
                    .bind(host: "127.0.0.1", port: 0).get())
        #if os(Linux)
            case .reactor:
                door = try Self.reactor(settings, maximum: admission == .welcome ? maximum : 0, open) {
                    channel, carried, found in
                    slow.take(carried)
                    return setUp(channel, carried, admission == .welcome ? found : admission)
                }
        #endif
        }
        client = try await Self.connect(to: door, transcript)
    }

    private static func connect(to door: any Door, _ transcript: Transcript) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(transcript)
                    try channel.pipeline.syncOperations.addHandler(ClosesWithServer())
                }
            }.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: door.port ?? 0)).get()
    }

    var port: Int { door.port ?? 0 }

    /// Another client of the same server.
    func another() async throws -> (transcript: Transcript, client: any Channel) {
        let transcript = Transcript()
        return (transcript, try await Self.connect(to: door, transcript))
    }

    func send(_ text: String) async throws { try await client.writeAndFlush(ByteBuffer(string: text)) }

    #if os(Linux)
        private static func reactor(
            _ settings: ConnectionSettings, maximum: Int, _ open: OpenConnections,
            _ setUp:
                @escaping @Sendable (any Channel, CarriedBytes, ConnectionHandler.Admission) -> EventLoopFuture<Void>
        ) throws -> ReactorDoor {
            let group = MultiThreadedEventLoopGroup.singleton
            var settings = settings
            // It leaves nothing to the slow path but what has a token, and is stale.
            if settings.fastPath == nil { settings.fastPath = try FastPathFixture(isFresh: false).path }
            guard let turn = FastTurn(settings) else { throw FastPathFixture.FixtureError() }
            let surroundings = Reactor.Surroundings(
                turn: turn, maximumConnections: maximum, idleTimeout: settings.idleTimeout, inUse: .seconds(3600)
            ) { socket, place, carried, isWelcome in
                ClientBootstrap(group: group)
                    .channelOption(.allowRemoteHalfClosure, value: true)
                    .channelInitializer { channel in
                        channel.closeFuture.whenComplete { _ in place.leave() }
                        return setUp(channel, carried, isWelcome ? .welcome : .oneTooMany)
                    }
                    .withConnectedSocket(socket).whenFailure { _ in place.leave() }
            }
            return try ReactorDoor(
                SocketAddress(ipAddress: "127.0.0.1", port: 0), backlog: 16, threads: 2, connections: open,
                surroundings, on: group.next())
        }
    #endif

    /// A graceful stop of the server.
    func stop() async throws {
        door.close()
        try await door.closed.get()
        open.stop {}
    }

    func endInput() async throws { try await client.close(mode: .output) }

    /// Waits until the server said so many whole answers.
    func answers(_ count: Int) async throws -> [String] {
        let text = try await transcript.wait(on: client.eventLoop) { text, _ in SocketFixture.split(text).count >= count
        }
        return SocketFixture.split(text)
    }

    /// Waits until the server has closed.
    func untilClosed() async throws -> [String] {
        SocketFixture.split(try await transcript.wait(on: client.eventLoop) { _, isClosed in isClosed })
    }

    func close() async throws {
        try? await client.close()
        door.close()
        try await door.closed.get()
    }

    /// Whole answers, by their lengths.
    static func split(_ text: String) -> [String] {
        var rest = Substring(text)
        var answers: [String] = []
        while let end = rest.firstRange(of: "\r\n\r\n") {
            let length =
                rest[..<end.lowerBound].firstMatch(of: /Content-Length: *(\d+)/).flatMap { Int($0.output.1) } ?? 0
            guard let last = rest.utf8.index(end.upperBound, offsetBy: length, limitedBy: rest.utf8.endIndex) else {
                break
            }
            answers.append(String(rest[..<last]))
            rest = rest[last...]
        }
        return answers
    }
}

/// Ends the client's side once the server has ended its own.
private final class ClosesWithServer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
