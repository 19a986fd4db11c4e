// What the tests of this folder share: a client or subscriber that runs for the length of a closure, and a server that
// answers whatever the test likes.

import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

@testable import CurfewRedis

let group = MultiThreadedEventLoopGroup.singleton

/// Deadlines short enough that a fault is noticed soon, long enough for a busy machine.
func testLimits(commandTimeout: Duration = .seconds(5)) -> RedisLimits {
    var limits = RedisLimits()
    limits.commandTimeout = commandTimeout
    limits.connectTimeout = .seconds(5)
    limits.maximumBackoff = .milliseconds(50)
    return limits
}

func quietLogger() -> Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

func testTransport(_ url: String, authorities: String? = nil, limits: RedisLimits = testLimits()) throws -> Connector {
    Connector(
        address: try RedisAddress(url: url, certificateAuthorities: authorities), eventLoop: group.next(),
        limits: limits
    )
}

/// Runs a client until `body` is through, then cancels it and waits for its end.
func withClient<Result: Sendable>(
    _ url: String, authorities: String? = nil, limits: RedisLimits = testLimits(), logger: Logger = quietLogger(),
    isConnected: Bool = true, onConnect: @escaping @Sendable (any RedisLink) async throws -> Void = { _ in },
    onDisconnect: @escaping @Sendable () -> Void = {}, _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    let client = RedisClient(
        transport: try testTransport(url, authorities: authorities, limits: limits), limits: limits, logger: logger)
    let running = Task { await client.run(onConnect: onConnect, onDisconnect: onDisconnect) }
    let result: Swift.Result<Result, any Error>
    do {
        if isConnected { try await client.waitUntilConnected(timeout: .seconds(20)) }
        result = .success(try await body(client))
    } catch {
        result = .failure(error)
    }
    running.cancel()
    await running.value
    return try result.get()
}

/// What a subscriber told, in order.
final class Heard: Sendable {
    enum Note: Sendable, Equatable {
        case subscribed
        case message(String, String)
        case lost
    }

    private let notes = Mutex<[Note]>([])

    func add(_ note: Note) { notes.withLock { $0.append(note) } }
    var all: [Note] { notes.withLock { $0 } }
    var messages: [String] {
        all.compactMap { if case .message(_, let text) = $0 { text } else { nil } }
    }
    func count(of note: Note) -> Int { all.count { $0 == note } }
}

/// Runs a subscriber until `body` is through.
func withSubscriber(
    _ url: String, channels: [String], limits: RedisLimits = testLimits(), _ body: (Heard) async throws -> Void
) async throws {
    let heard = Heard()
    let subscriber = RedisSubscriber(
        transport: try testTransport(url, limits: limits), channels: channels, limits: limits, logger: quietLogger())
    let callbacks = SubscriberCallbacks(
        onMessage: { heard.add(.message($0, String(decoding: $1, as: UTF8.self))) },
        onSubscribed: { heard.add(.subscribed) }, onLost: { heard.add(.lost) })
    let running = Task { await subscriber.run(callbacks) }
    let result: Result<Void, any Error>
    do {
        result = .success(try await body(heard))
    } catch {
        result = .failure(error)
    }
    running.cancel()
    await running.value
    try result.get()
}

/// How calls of many tasks ended, in the order of their ends.
final class Outcomes: Sendable {
    private let outcomes = Mutex<[RedisError?]>([])

    func add(_ outcome: RedisError?) { outcomes.withLock { $0.append(outcome) } }
    var all: [RedisError?] { outcomes.withLock { $0 } }
}

/// The error of a call, or `nil` where it succeeded.
func failure<Value>(of body: () async throws(RedisError) -> Value) async -> RedisError? {
    do throws(RedisError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

/// A TCP server that answers the nth chunk of each connection with the nth text; past the last it says nothing, and
/// `nil` hangs up.
final class ScriptedServer: Sendable {
    let port: Int
    private let listener: any Channel

    static let pong = "+PONG\r\n"

    init(_ answers: [String?], first: String = "") async throws {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answers(answers: answers, first: first))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        listener = channel
        port = channel.localAddress?.port ?? 0
    }

    var url: String { "redis://127.0.0.1:\(port)" }

    func stop() async throws { try await listener.close() }

    private final class Answers: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var answers: ArraySlice<String?>
        private let first: String

        init(answers: [String?], first: String) {
            self.answers = answers[...]
            self.first = first
        }

        func channelActive(context: ChannelHandlerContext) {
            if !first.isEmpty { context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: first)), promise: nil) }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let answer = answers.popFirst() else { return }
            if let answer {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            } else {
                context.close(promise: nil)
            }
        }
    }
}
