// What sessions leave behind once they are over: nothing, however they ended. A real node's sweeper on a real Redis, whose clocks
// are moved by weeks.

import CurfewCore
import CurfewRedis
import Foundation
import TestSupport
import Testing

@testable import CurfewNode

@Suite("What is left behind", .enabled(if: ShiftedClock.isAvailable, "needs a C compiler")) struct CleanUpTests {
    private static let count = ProcessInfo.processInfo.environment["CURFEW_SESSIONS"].flatMap { Int($0) } ?? 100_000
    private static let sessionsPerUser = 50
    private static let day: Int64 = 86_400

    @Test("of 100,000 sessions that were revoked, idled, ran out or were cut off by user: not one key")
    func nothing() async throws {
        try await MovedNode.run { node in
            let sessions = try await issue(Self.count, node.service)
            #expect(Int(try node.redis.call(["DBSIZE"])) ?? 0 > Self.count)
            try await end(sessions, node.service)
            // Idle after half a day, over age after a month, forgotten once no token can live.
            for days: Int64 in [1, 40, 80] {
                try node.move(to: days * Self.day)
                try await eventually(deadline: .seconds(240), "day \(days) is swept", every: .milliseconds(200)) {
                    guard node.service.readiness().isReady else { return false }
                    return try overdue(node.redis, node.now, node.count) == 0
                }
            }
            let left = try node.redis.call(["KEYS", "*"]).split(separator: "\n").map(String.init)
            let lists = Set(
                ["head", "log", "nodes"].flatMap { list in node.count.all.map { "curfew:{\($0.index)}:\(list)" } })
            #expect(Set(left).subtracting(lists) == ["curfew:partitions"])
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
