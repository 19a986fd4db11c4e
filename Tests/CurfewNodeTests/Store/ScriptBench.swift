// A real Redis and one client on it: what the script tests need, no node.

import CurfewCore
import CurfewRedis
import Logging
import NIOPosix
import TestSupport
import Testing

@testable import CurfewNode

/// Runs `body` against a redis-server of its own.
struct ScriptBench {
    let server: RedisServer
    let redis: RedisClient
    let calls: ScriptCalls
    /// The replication history of this Redis.
    let history: String

    private struct NoHistory: Error {}

    static let partition = Partition(3)
    static let user = "u_42"

    /// No TCP port, unless something else is asked for.
    static var unixOnly: RedisServerOptions {
        var options = RedisServerOptions()
        options.port = .none
        return options
    }

    static func run(
        logWindow: Int = 100_000, on options: RedisServerOptions = unixOnly,
        _ body: (ScriptBench) async throws -> Void
    ) async throws {
        let server = try await RedisServer.start(options)
        defer { server.stop() }
        let redis = RedisClient(
            transport: Connector(
                address: try RedisAddress(url: server.unixURL),
                eventLoop: MultiThreadedEventLoopGroup.singleton.next()),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let calls = ScriptCalls(
            keys: StoreKeys(namespace: "t"), nodeID: NodeID(random: 1),
            habit: ServingHabit(servesStale: false, staleness: .seconds(1)), logWindow: logWindow,
            longestTokenLifetime: 100)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await redis.run() }
            try await redis.waitUntilConnected(timeout: .seconds(10))
            let info = RedisInfo(
                try await redis.send(RedisCommand("INFO", ["replication"])).text(for: "INFO"))
            guard let history = info.replicationID else { throw NoHistory() }
            try await body(ScriptBench(server: server, redis: redis, calls: calls, history: history))
            group.cancelAll()
        }
    }

    /// A node that follows this incarnation, past its first moments; `wall`: its clock, in UNIX seconds.
    func known(_ incarnation: String?, mark: UInt64 = 0, young: Bool = false, wall: Int64 = 0) -> ScriptCalls.Known {
        ScriptCalls.Known(
            mark: Stamp(mark), incarnation: incarnation, longestTokenLifetime: 0,
            settledHistory: young ? nil : history, wall: WallTime(seconds: wall))
    }

    func open() async throws -> OpenReply { try OpenReply(try await redis.run(calls.open(Self.partition, known(nil)))) }

    func poll(_ applied: LogPosition, calls: ScriptCalls? = nil) async throws -> PollAnswer {
        try PollAnswer(try await redis.run((calls ?? self.calls).poll(Self.partition, known(nil), applied: applied)))
    }

    func issue(
        _ low: UInt64, device: String? = nil, lifetime: Int64 = 1000, absolute: Int64 = 10_000,
        idle: Int64? = nil, hasRefreshToken: Bool = false, known: ScriptCalls.Known? = nil
    ) async throws -> (SessionID, IssueReply) {
        let session = SessionID(partition: Self.partition, high: 7, low: low)
        guard let user = UserID(Self.user) else { fatalError("a literal") }
        var request = IssueRequest(user: user)
        request.device = device.flatMap { DeviceID($0) }
        let call = calls.issue(
            session, user: user, device: request.device,
            lifetime: SessionLifetime(seconds: lifetime, absoluteSeconds: absolute, idleSeconds: idle),
            hasRefreshToken: hasRefreshToken,
            record: SessionRecord.fields(of: request), known ?? self.known(nil))
        return (session, try IssueReply.result(try await redis.run(call)).get())
    }

    func renew(
        _ session: SessionID, generation: UInt64? = nil, lifetime: Int64 = 1000, grace: Int64 = 10_000
    ) async throws -> RenewReply {
        guard let user = UserID(Self.user) else { fatalError("a literal") }
        return try RenewReply(
            try await redis.run(
                calls.renew(
                    LivingSession(session: session, user: user, device: nil, tenant: nil), lifetimeSeconds: lifetime,
                    generation: generation,
                    graceMilliseconds: grace, known(nil))))
    }

    func rotate(
        _ id: SessionID, lifetime: Int64 = 1000, absolute: Int64 = 10_000, grace: Int64 = 10_000,
        reauthenticatedAt: WallTime? = nil, drawn: UInt64? = nil, permissions: Permissions? = nil
    ) async throws -> RotateReply {
        guard let user = UserID(Self.user) else { fatalError("a literal") }
        return try RotateReply(
            try await redis.run(
                calls.rotate(
                    LivingSession(session: id, user: user, device: nil, tenant: nil),
                    lifetime: SessionLifetime(seconds: lifetime, absoluteSeconds: absolute), graceMilliseconds: grace,
                    reauthenticatedAt: reauthenticatedAt, drawn: drawn, permissions: permissions, fields: [],
                    known(nil))))
    }

    func read(_ id: SessionID, as user: String = Self.user) async throws -> ReadReply {
        guard let user = UserID(user) else { fatalError("a literal") }
        return try ReadReply(try await redis.run(calls.read(id, user: user, tenant: nil, known(nil))))
    }

    func revoke(
        _ target: PartitionTarget, known: ScriptCalls.Known, options: ChangeOptions = ChangeOptions()
    ) async throws -> ChangeReply {
        try ChangeReply(
            try await redis.run(calls.revoke(target, in: Self.partition, options: options, known)), operation: "revoke")
    }

    func command(_ words: String...) throws -> String { try server.call(words) }
}
