// A simulated Redis and a real one that are told the same, at the same microsecond: the real one's wall clock is stopped and
// set before every call, so that TIME, stamps and expiry are the same to the last digit. The scripts are the product's own,
// unchanged.

import CurfewCore
import CurfewNode
import Logging
import NIOPosix
import Simulator
import Synchronization
import TestSupport

@testable import CurfewRedis

/// Two answers that should be one.
struct Difference: Error, CustomStringConvertible {
    let description: String
}

/// One redis-server of its own, and a simulated one, empty both.
final class RedisPair {
    private let real: RedisClient
    private let clock: ShiftedClock
    private let lua = LuaMachine()
    var simulated = SimulatedRedisServer(
        runID: String(repeating: "a", count: 40), replicationID: String(repeating: "b", count: 40))
    /// What both clocks say.
    var now: Int64 = 1_800_000_000_000_000
    /// Named in differences.
    var context = ""

    /// What the simulated one published on the channels that the real one is listened to on.
    private var published: [String] = []
    private let heard = Heard()
    private var channels: Set<String> = []

    private final class Heard: Sendable {
        let messages = Mutex<[String]>([])
    }

    /// The real one, for what only it is told.
    let server: RedisServer

    private init(_ server: RedisServer, _ real: RedisClient, _ clock: ShiftedClock) {
        self.server = server
        self.real = real
        self.clock = clock
    }

    /// - Parameter channels: what is published there is compared, too.
    static func run(listeningTo channels: [String] = [], _ body: (RedisPair) async throws -> Void) async throws {
        let clock = try ShiftedClock(seconds: 0)
        var options = RedisServerOptions()
        options.port = .none
        options.environment = clock.environment
        let server = try await RedisServer.start(options)
        defer { server.stop() }
        let connector = Connector(
            address: try RedisAddress(url: server.unixURL), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let client = RedisClient(
            transport: connector, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            try await client.waitUntilConnected(timeout: .seconds(10))
            let pair = RedisPair(server, client, clock)
            let info = RedisInfo(try await client.send(RedisCommand("INFO", ["replication"])).text(for: "INFO"))
            if let history = info.replicationID { pair.simulated.replicationID = history }
            pair.simulated.letsScriptsWrite = try server.call(["INFO", "server"]).contains("redis_version:6.")
            if !channels.isEmpty { try await pair.listen(to: channels, by: connector, in: &group) }
            try await body(pair)
            group.cancelAll()
        }
    }

    private func listen(
        to channels: [String], by connector: Connector, in group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws {
        let heard = heard
        let callbacks = SubscriberCallbacks { channel, message in
            heard.messages.withLock { $0.append("\(channel) \(String(decoding: message, as: UTF8.self))") }
        }
        group.addTask { _ = try await connector.subscribe(to: channels, .ordinary, callbacks) }
        try await eventually("the channels are listened to") {
            try channels.allSatisfy { try server.call(["PUBSUB", "NUMSUB", $0]).hasSuffix("\n1") }
        }
        self.channels = Set(channels)
    }

    /// That the same was published in the same order since the last time.
    func comparePublished() async throws {
        let (expected, heard) = (published.count, heard)
        try await eventually("\(expected) messages were published") {
            heard.messages.withLock { $0.count >= expected }
        }
        let real = heard.messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
        defer { published = [] }
        guard real != published else { return }
        let place = zip(real, published).first { $0 != $1 }
        throw Difference(
            description: """
                \(context): published \(real.count) and \(published.count) messages, first different:
                  Redis:     \(place?.0 ?? "-")
                  simulated: \(place?.1 ?? "-")
                """)
    }

    /// Runs it on both; the answer, where it is the same.
    @discardableResult func call(_ command: RedisCommand) async throws -> RedisValue { try await call([command])[0] }

    /// Several at once, within one moment.
    @discardableResult func call(_ commands: [RedisCommand]) async throws -> [RedisValue] {
        try clock.stop(atMicroseconds: now)
        let replies = commands.isEmpty ? [] : try await real.pipeline(commands, timeout: nil)
        return try zip(commands, replies).map { command, reply in
            let expected = Self.readable(reply, command)
            let execution = simulated.execute(command, atMicroseconds: now, lua: lua)
            let answer = Self.readable(execution.reply, command)
            published += execution.published.filter { channels.contains($0.channel) }
                .map { "\($0.channel) \(String(decoding: $0.message, as: UTF8.self))" }
            if answer == expected { return answer }
            let words = command.arguments.map { String(decoding: $0.bytes.prefix(200), as: UTF8.self) }
            throw Difference(
                description: """
                    \(context): \(command.operation) (\(command.verb)) \(words)
                      Redis:     \(Self.text(expected))
                      simulated: \(Self.text(answer))
                    """)
        }
    }

    @discardableResult func call(_ words: String...) async throws -> RedisValue { try await call(words) }

    @discardableResult func call(_ words: [String]) async throws -> RedisValue {
        try await call(RedisCommand(words[0], words.dropFirst().map { RedisArgument($0) }))
    }

    /// By digest, and whole where that is not known, as the product does it.
    @discardableResult func call(_ script: RedisScriptCall) async throws -> RedisValue {
        let reply = try await call(script.byDigest)
        guard case .error(let message) = reply, message.hasPrefix("NOSCRIPT") else { return reply }
        return try await call(script.bySource)
    }

    /// Over a connection of its own, for times when the client has none: the same error, or none by either.
    func compareErrors(_ words: [String]) throws {
        var expected = ""
        do { try server.call(words) } catch let error as RedisCallError { expected = error.description }
        let command = RedisCommand(words[0], words.dropFirst().map { RedisArgument($0) })
        var answer = ""
        if case .error(let message) = simulated.execute(command, atMicroseconds: now, lua: lua).reply {
            answer = message
        }
        guard answer != expected else { return }
        throw Difference(
            description: """
                \(context): \(words)
                  Redis:     \(expected)
                  simulated: \(answer)
                """)
    }

    /// That both hold the same keys, of the same types, with the same content and the same time to live.
    func compareContent() async throws {
        var keys: [RedisArgument] = []
        for key in try await call("KEYS", "*").array(for: "KEYS") { keys.append(.init(try key.bytes(for: "KEYS"))) }
        // (Since 7.0.)
        if !simulated.letsScriptsWrite { try await call(keys.map { RedisCommand("PEXPIRETIME", [$0]) }) }
        let types = try await call(keys.map { RedisCommand("TYPE", [$0]) })
        try await call(
            zip(keys, types).map { key, type in
                switch type {
                case .status("hash"): RedisCommand("HGETALL", [key])
                case .status("zset"): RedisCommand("ZRANGE", [key, "0", "-1", "WITHSCORES"])
                case .status("stream"): RedisCommand("XRANGE", [key, "-", "+"])
                default: RedisCommand("GET", [key])
                }
            })
    }

    /// Errors as CurfewRedis hands them on, and in one order what Redis promises none for.
    private static func readable(_ reply: RedisValue, _ command: RedisCommand) -> RedisValue {
        switch (command.operation, reply) {
        case (_, .error(let message)): .error(RedisError.cleaned(message))
        case ("KEYS", .array(let keys)): .array(keys.sorted { text($0) < text($1) })
        case ("HGETALL", .array(let flat)): pairs(flat)
        case ("ZSCAN", .array(let page)) where page.count == 2: .array([page[0], last(page)])
        case ("poll", .array(let fields)) where fields.count == 9: .array(fields.dropLast() + [last(fields)])
        case ("revoke", .array(let fields)), ("permissions", .array(let fields)):
            fields.count == 10 ? .array(fields.dropLast(2) + [last(fields.dropLast()), fields[9]]) : reply
        default: reply
        }
    }

    private static func last(_ fields: some BidirectionalCollection<RedisValue>) -> RedisValue {
        guard case .array(let flat) = fields.last else { return .null }
        return pairs(flat)
    }

    private static func pairs(_ flat: [RedisValue]) -> RedisValue {
        let pairs = stride(from: 0, to: flat.count - 1, by: 2).map { RedisValue.array([flat[$0], flat[$0 + 1]]) }
        return .array(pairs.sorted { text($0) < text($1) })
    }

    private static func text(_ value: RedisValue) -> String {
        switch value {
        case .null: "null"
        case .integer(let number): "\(number)"
        case .bytes(let bytes): "\"\(String(decoding: bytes, as: UTF8.self))\""
        case .status(let text): "+\(text)"
        case .error(let text): "-\(text)"
        case .array(let elements): "[" + elements.map(text).joined(separator: ", ") + "]"
        }
    }
}
