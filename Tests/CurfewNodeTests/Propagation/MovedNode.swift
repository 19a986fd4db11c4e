// A real node on a real Redis whose clocks, both at once, can be moved by weeks.

import CurfewCore
import CurfewRedis
import Logging
import NIOPosix
import Synchronization
import TestSupport

@testable import CurfewNode

/// The machine's, with a wall clock that can be moved, and an age that passes quickly enough for whole lifetimes.
private final class MovedSurroundings: Surroundings {
    private let machine = SystemSurroundings(eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    private let shift = Mutex<Int64>(0)

    func move(to seconds: Int64) { shift.withLock { $0 = seconds } }

    var uptime: Duration { machine.uptime }
    var age: Duration { machine.uptime * 100_000 }
    var wallSeconds: Int64 { machine.wallSeconds + shift.withLock { $0 } }
    func sleep(for duration: Duration) async throws { try await machine.sleep(for: duration) }
    func schedule(in duration: Duration, _ work: @escaping @Sendable () -> Void) {
        machine.schedule(in: duration, work)
    }
    func random() -> UInt64 { machine.random() }
}

struct MovedNode {
    let service: SessionService
    let redis: ShiftedRedis
    let count: PartitionCount
    private let redisClock: ShiftedClock
    private let surroundings: MovedSurroundings

    /// Both clocks, from now on: so many seconds ahead of the true time.
    func move(to seconds: Int64) throws {
        try redisClock.move(to: Int(seconds))
        surroundings.move(to: seconds)
    }

    /// UNIX seconds, by either.
    var now: Int64 { surroundings.wallSeconds }

    /// Needs `ShiftedClock.isAvailable`. `body` begins once the node is ready.
    static func run(
        _ configuration: NodeConfiguration = NodeConfiguration(), _ body: (MovedNode) async throws -> Void
    ) async throws {
        let redisClock = try ShiftedClock(seconds: 0)
        let redis = try ShiftedRedis(redisClock)
        defer { redis.stop() }
        try await eventually("Redis answers") { try redis.call(["PING"]) == "PONG" }
        let surroundings = MovedSurroundings()
        var configuration = configuration
        configuration.signingSecret = "a secret of this test, 32 bytes and more"
        let count = try configuration.partitionCount()
        let parts = NodeParts(
            configuration: configuration, nodeID: NodeID(random: 1), count: count, keyRing: try configuration.keyRing(),
            surroundings: surroundings, clock: NodeClock(surroundings),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let limits = configuration.redisLimits
        let transport = Connector(
            address: try RedisAddress(url: "redis+unix://\(redis.socket)"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), limits: limits)
        parts.driver.follow(Primary(number: 0, transport: transport, limits: limits, driver: parts.driver))
        let propagation = PropagationService(driver: parts.driver, checks: parts.driver.checks, router: nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await propagation.run() }
            defer { group.cancelAll() }
            try await eventually("the node is ready") { parts.service.readiness().isReady }
            try await body(
                MovedNode(
                    service: parts.service, redis: redis, count: count, redisClock: redisClock,
                    surroundings: surroundings))
        }
    }
}
