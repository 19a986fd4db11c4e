// A heartbeat that is queued in front of the event that ended a session: the reason is told all the same.

import CurfewCore
import TestSupport
import Testing

@testable import CurfewNode

@Suite("The reason that a stream tells", .enabled(if: ShiftedClock.isAvailable, "needs a C compiler"))
struct StreamReasonTests {
    @Test("a heartbeat that finds the session over leaves its end to the event behind it")
    func heartbeat() async throws {
        try await MovedNode.run { node in
            let service = node.service
            let issued = try await service.issue(IssueRequest(user: try #require(UserID("u_1"))))
            func told(_ whileItIsRead: () async throws -> Void) async throws -> [SessionEvent.News] {
                let events = try await service.events(
                    token: Array(issued.token.utf8), from: .notAsked, lastID: nil)
                var told: [SessionEvent.News] = []
                try await service.follow(events) { event in
                    told.append(event.news)
                    if told.count == 1 { try await whileItIsRead() }
                }
                return told
            }
            /// Each stream has one in so many seconds.
            func heartbeat() {
                for _ in 0..<EventStreams.heartbeatSeconds { service.driver.streams.tick(now: issued.issuedAt) }
            }
            let end = try await told {
                heartbeat()
                var options = ChangeOptions()
                options.reason = "moved out"
                _ = try await service.revoke(.session(issued.session), options: options)
            }
            #expect(end == [.none, .revoked(reason: "moved out")])
        }
    }

    @Test("where the event was lost the second heartbeat tells of the end")
    func lost() async throws {
        try await MovedNode.run { node in
            let service = node.service
            let issued = try await service.issue(IssueRequest(user: try #require(UserID("u_1"))))
            let events = try await service.events(token: Array(issued.token.utf8), from: .notAsked, lastID: nil)
            var told: [SessionEvent.News] = []
            try await service.follow(events) { event in
                told.append(event.news)
                guard told.count == 1 else { return }
                _ = try await service.revoke(.session(issued.session), options: ChangeOptions())
                // More than wait for one stream: the oldest, the event, goes.
                for _ in 0..<(EventStreams.heartbeatSeconds * UInt64(EventStreams.maximumSignals + 1)) {
                    service.driver.streams.tick(now: issued.issuedAt)
                }
            }
            #expect(told == [.none, .revoked(reason: nil)])
        }
    }
}
