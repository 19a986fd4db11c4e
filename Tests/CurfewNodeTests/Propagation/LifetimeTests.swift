// How long sessions last, whoever renews them how often: a real node on a real Redis, while days pass.

import CurfewCore
import TestSupport
import Testing

@testable import CurfewNode

@Suite("Lifetimes", .enabled(if: ShiftedClock.isAvailable, "needs a C compiler")) struct LifetimeTests {
    private static let hour: Int64 = 3_600

    /// Shorter than the defaults, in the same proportions, so that a few dozen steps pass all of their ends.
    private static func configuration() -> NodeConfiguration {
        var configuration = NodeConfiguration()
        configuration.web = KindSettings(
            lifetime: .seconds(24 * hour), absoluteLifetime: .seconds(96 * hour), tokenLifetime: .seconds(24 * hour),
            idleTimeout: .seconds(12 * hour))
        configuration.remember = KindSettings(
            lifetime: .seconds(72 * hour), absoluteLifetime: .seconds(200 * hour), tokenLifetime: .seconds(24 * hour))
        configuration.api = KindSettings(
            lifetime: .seconds(20 * hour), absoluteLifetime: .seconds(60 * hour), tokenLifetime: .seconds(900))
        return configuration
    }

    /// One session, as it should be.
    private struct Kept {
        var issued: IssuedSession
        /// When its user authenticated last.
        var authenticatedAt: Int64
        var usedAt: Int64
        var end: Int64

        init(_ issued: IssuedSession, _ settings: KindSettings) {
            self.issued = issued
            authenticatedAt = issued.issuedAt.seconds
            usedAt = authenticatedAt
            end = authenticatedAt + min(settings.lifetime, settings.absoluteLifetime).components.seconds
        }

        var credential: RefreshCredential {
            issued.refreshToken.map { .refreshToken($0) } ?? .token(Array(issued.token.utf8))
        }
    }

    private func login(_ kind: SessionKind, _ node: MovedNode) async throws -> IssuedSession {
        var request = IssueRequest(user: try #require(UserID("u_1")))
        request.kind = kind
        return try await node.service.issue(request)
    }

    /// How a session can go on.
    private enum Way: CaseIterable {
        case refresh, rotation
        /// A rotation after which the absolute lifetime counts anew.
        case authentication
        /// By a token, in front of an application; of kind `api` there is none.
        case proxy

        /// Seldom the one that puts off an absolute end.
        static let drawn = Way.allCases + [Way](repeating: .refresh, count: 5) + [.rotation, .rotation, .proxy, .proxy]

        var isRotation: Bool { self == .rotation || self == .authentication }
    }

    /// Answers `nil` where there is nothing to renew any more.
    private func renewed(_ kept: Kept, _ way: Way, _ node: MovedNode) async throws -> IssuedSession? {
        do throws(ServiceError) {
            switch way {
            case .rotation, .authentication:
                var request = RotateRequest()
                if way == .authentication { request.authenticatedAt = WallTime(seconds: node.now) }
                return try await node.service.rotate(kept.issued.session, request)
            case .proxy where kept.issued.kind != .api:
                return try await node.service.renewed(by: Array(kept.issued.token.utf8), from: .notAsked)
            case .refresh, .proxy: return try await node.service.refresh(kept.credential, from: .notAsked)
            }
        } catch {
            switch error {
            case .tokenRefused(.sessionExpired), .tokenRefused(.sessionNotFound): return nil
            case .conflict where way.isRotation, .notFound where way.isRotation: return nil
            default: throw error
            }
        }
    }

    @Test(
        "no sequence of renewals outlives the absolute lifetime, and no token its session; who is idle for too long is over",
        arguments: [1, 2])
    func renewals(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let configuration = Self.configuration()
        try await MovedNode.run(configuration) { node in
            var sessions: [Kept] = []
            for kind in SessionKind.allCases {
                for _ in 0..<4 {
                    sessions.append(Kept(try await login(kind, node), configuration.settings(of: kind)))
                }
            }
            var (ahead, renewals, byAge, byIdling, absolute): (Int64, Int, Int, Int, Int) = (0, 0, 0, 0, 0)
            for _ in 0..<36 {
                ahead += Int64.random(in: 2 * Self.hour...11 * Self.hour, using: &generator)
                try node.move(to: ahead)
                try await eventually("the node is ready") { node.service.readiness().isReady }
                for index in sessions.indices where Int.random(in: 0..<5, using: &generator) > 0 {
                    let kept = sessions[index]
                    let settings = configuration.settings(of: kept.issued.kind)
                    let idleEnd = configuration.lifetime(of: kept.issued.kind).idleSeconds.map { kept.usedAt + $0 }
                    let due = min(kept.end, idleEnd ?? .max)
                    // Too near to be told.
                    guard abs(node.now - due) > 30 else { continue }
                    let way = Way.drawn.randomElement(using: &generator) ?? .refresh
                    guard let issued = try await renewed(kept, way, node) else {
                        #expect(node.now > due, "\(kept.issued.kind) by \(way) ended \(due - node.now) s early")
                        if due == kept.end { byAge += 1 } else { byIdling += 1 }
                        sessions[index] = Kept(try await login(kept.issued.kind, node), settings)
                        continue
                    }
                    #expect(
                        node.now < due, "\(kept.issued.kind) by \(way) was renewed \(node.now - due) s after its end")
                    if way == .authentication { sessions[index].authenticatedAt = node.now }
                    let last = sessions[index].authenticatedAt + settings.absoluteLifetime.components.seconds
                    let end = min(node.now + settings.lifetime.components.seconds, last)
                    #expect(abs(issued.sessionExpiresAt.seconds - end) <= 2)
                    #expect(issued.sessionExpiresAt.seconds <= last)
                    #expect(issued.expiresAt <= issued.sessionExpiresAt)
                    let token = min(node.now + settings.tokenLifetime.components.seconds, end)
                    #expect(abs(issued.expiresAt.seconds - token) <= 2)
                    if end == last { absolute += 1 }
                    renewals += 1
                    (sessions[index].issued, sessions[index].usedAt) = (issued, node.now)
                    sessions[index].end = issued.sessionExpiresAt.seconds
                }
            }
            // What was to be tried has happened.
            #expect(renewals > 50 && byAge > 3 && byIdling > 0 && absolute > 3)
        }
    }
}
