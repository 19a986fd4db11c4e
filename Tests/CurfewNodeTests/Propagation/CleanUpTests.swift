// What sessions leave behind once they are over: nothing, however they ended. A real node's sweeper on a real Redis, whose clocks
// are moved by weeks.

import CurfewCore
import CurfewRedis
import Foundation
import Logging
import NIOPosix
import Synchronization
import TestSupport
import Testing

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

@Suite("What is left behind", .enabled(if: ShiftedClock.isAvailable, "needs a C compiler")) struct CleanUpTests {
    private static let count = ProcessInfo.processInfo.environment["CURFEW_SESSIONS"].flatMap { Int($0) } ?? 100_000
    private static let sessionsPerUser = 50
    private static let day: Int64 = 86_400

    @Test("of 100,000 sessions that were revoked, idled, ran out or were cut off by user: not one key")
    func nothing() async throws {
        let redisClock = try ShiftedClock(seconds: 0)
        let redis = try ShiftedRedis(redisClock)
        defer { redis.stop() }
        try await eventually("Redis answers") { try redis.call(["PING"]) == "PONG" }
        let surroundings = MovedSurroundings()
        func move(toDay day: Int64) throws {
            try redisClock.move(to: Int(day * Self.day))
            surroundings.move(to: day * Self.day)
        }

        var configuration = NodeConfiguration()
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
            try await eventually("the node is ready") { parts.service.readiness().isReady }
            let sessions = try await issue(Self.count, parts.service)
            #expect(Int(try redis.call(["DBSIZE"])) ?? 0 > Self.count)
            try await end(sessions, parts.service)
            // Idle after half a day, over age after a month, forgotten once no token can live.
            for days: Int64 in [1, 40, 80] {
                try move(toDay: days)
                try await eventually(deadline: .seconds(240), "day \(days) is swept", every: .milliseconds(200)) {
                    guard parts.service.readiness().isReady else { return false }
                    return try overdue(redis, surroundings.wallSeconds, count) == 0
                }
            }
            let left = try redis.call(["KEYS", "*"]).split(separator: "\n").map(String.init)
            let lists = Set(
                ["head", "log", "nodes"].flatMap { list in count.all.map { "curfew:{\($0.index)}:\(list)" } })
            #expect(Set(left).subtracting(lists) == ["curfew:partitions"])
            group.cancelAll()
        }
    }

    /// Of every kind, of users who have several, side by side.
    private func issue(_ count: Int, _ service: SessionService) async throws -> [IssuedSession] {
        try await withThrowingTaskGroup(of: [IssuedSession].self) { group in
            let users = count / Self.sessionsPerUser
            for lane in 0..<64 {
                group.addTask {
                    var issued: [IssuedSession] = []
                    for user in stride(from: lane, to: users, by: 64) {
                        var request = IssueRequest(user: try #require(UserID("user \(user)")))
                        request.device = DeviceID("phone")
                        for number in 0..<Self.sessionsPerUser {
                            request.kind = [.web, .remember, .api][number % 3]
                            issued.append(try await service.issue(request))
                        }
                    }
                    return issued
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// A fifth of the users at once, of another fifth every other session; one fifth's permissions change. The rest is left alone.
    private func end(_ sessions: [IssuedSession], _ service: SessionService) async throws {
        let users = Set(sessions.map(\.user)).sorted { $0.text < $1.text }
        let options = ChangeOptions()
        for user in users.prefix(users.count / 5) { _ = try await service.revoke(.user(user), options: options) }
        let singly = Set(users.dropFirst(users.count / 5).prefix(users.count / 5))
        for session in sessions.filter({ singly.contains($0.user) }).prefix(2_000) {
            _ = try await service.revoke(.session(session.session), options: options)
        }
        let docs = try #require(Permissions(["docs:read"]))
        for user in users.suffix(users.count / 5) {
            _ = try await service.setPermissions(of: user, to: docs, options: options)
        }
    }

    /// What should not be there any more.
    private func overdue(_ redis: ShiftedRedis, _ now: Int64, _ count: PartitionCount) throws -> Int {
        try count.all.reduce(0) { sum, partition in
            let lists = ["due", "revoked"].map { list in
                Result {
                    Int(try redis.call(["ZCOUNT", "curfew:{\(partition.index)}:\(list)", "-inf", "\(now - 1)"])) ?? 1
                }
            }
            return try lists.reduce(sum) { $0 + (try $1.get()) }
        }
    }
}
