// A simulated Redis and a real one that are told the same, at the same microsecond: the real one's wall clock is stopped and
// set before every call, so that TIME, stamps and expiry are the same to the last digit. The scripts are the product's own,
// unchanged.

import CurfewCore
import CurfewNode
import Logging
import NIOPosix
import Simulator
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

    /// The real one, for what only it is told.
    let server: RedisServer

    private init(_ server: RedisServer, _ real: RedisClient, _ clock: ShiftedClock) {
        self.server = server
        self.real = real
        self.clock = clock
    }

    static func run(_ body: (RedisPair) async throws -> Void) async throws {
        let clock = try ShiftedClock(seconds: 0)
        var options = RedisServerOptions()
        options.port = .none
        options.environment = clock.environment
        let server = try await RedisServer.start(options)
        defer { server.stop() }
        let client = RedisClient(
            transport: Connector(
                address: try RedisAddress(url: server.unixURL),
                eventLoop: MultiThreadedEventLoopGroup.singleton.next()),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await client.run() }
            try await client.waitUntilConnected(timeout: .seconds(10))
            let pair = RedisPair(server, client, clock)
            let info = RedisInfo(try await client.send(RedisCommand("INFO", ["replication"])).text(for: "INFO"))
            if let history = info.replicationID { pair.simulated.replicationID = history }
            try await body(pair)
            group.cancelAll()
        }
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

    /// That both hold the same keys, of the same types, with the same content and the same time to live.
    func compareContent() async throws {
        var keys: [RedisArgument] = []
        for key in try await call("KEYS", "*").array(for: "KEYS") { keys.append(.init(try key.bytes(for: "KEYS"))) }
        try await call(keys.map { RedisCommand("PEXPIRETIME", [$0]) })
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
