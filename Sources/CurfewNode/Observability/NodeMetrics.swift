// What one node counts. Each node has its own; nothing here waits, fails or reads a clock. Label values are made at start, so that
// counting allocates nothing.

import CoreMetrics
import CurfewCore
import CurfewRedis
import Synchronization

package final class NodeMetrics: Sendable {
    let factory: PrometheusFactory
    /// By the reason's place.
    private let validations: [PrometheusCounter]
    private let active: PrometheusCounter
    private let unavailable: PrometheusCounter
    private let validationSeconds: PrometheusHistogram
    private let renewals: Counter
    private let failures: Counter
    private let expirations: Counter
    private let durations: Recorder
    private let propagation: Recorder
    private let redisCommands: Recorder
    private let reconnects: Counter
    private let revocations: [String: PrometheusCounter]
    private let problems: [ProblemCode: PrometheusCounter]
    private let redisErrors: [RedisErrorKind: PrometheusCounter]
    /// How many sessions live, and when that was known (uptime); `nil` before.
    let census = Mutex<(count: Int, at: Duration)?>(nil)

    /// One verdict of active in so many is timed.
    static let sampling = 64
    /// Reasons that have a series of their own: free text from callers must not make more.
    static let reasons = [
        "logout", "admin", "security", "password_changed", "replaced", "session_limit",
        "refresh_token_reused", "fingerprint_mismatch", "authentication_burst", "token_revoked",
    ]

    package init() {
        let definitions = Metric.allCases.map {
            PrometheusFactory.Definition(name: $0.rawValue, help: $0.help, buckets: $0.buckets)
        }
        let factory = PrometheusFactory(definitions)
        func labelled<Key: Hashable>(
            _ metric: Metric, _ keys: [Key], _ text: (Key) -> String
        ) -> [Key: PrometheusCounter] {
            Dictionary(
                uniqueKeysWithValues: keys.map { key in
                    (key, factory.counter(metric.rawValue, [(metric.label ?? "", text(key))]))
                })
        }
        func counter(_ metric: Metric) -> Counter { Counter(label: metric.rawValue, factory: factory) }
        func recorder(_ metric: Metric) -> Recorder {
            Recorder(label: metric.rawValue, dimensions: [], aggregate: true, factory: factory)
        }
        self.factory = factory
        validations = RefusalReason.allCases.sorted { $0.place < $1.place }.map {
            factory.counter(Metric.validations.rawValue, [("result", $0.rawValue)])
        }
        active = factory.counter(Metric.validations.rawValue, [("result", "active")])
        unavailable = factory.counter(Metric.validations.rawValue, [("result", "unavailable")])
        validationSeconds = factory.histogram(Metric.validationSeconds.rawValue)
        renewals = counter(.sessionRenewals)
        failures = counter(.authenticationFailures)
        expirations = counter(.sessionExpirations)
        durations = recorder(.sessionDuration)
        propagation = recorder(.propagationSeconds)
        redisCommands = recorder(.redisCommandSeconds)
        reconnects = counter(.redisReconnects)
        revocations = labelled(.revocations, Self.reasons + [PrometheusFactory.other]) { $0 }
        problems = labelled(.problems, ProblemCode.allCases) { $0.rawValue }
        redisErrors = labelled(.redisErrors, RedisErrorKind.allCases) { $0.rawValue }
    }

    /// What happened to a session or a user.
    package func count(_ entry: AuditEntry) {
        switch entry.event {
        case .sessionRenewed: renewals.increment()
        case .authenticationFailed: failures.increment()
        case .sessionExpired:
            expirations.increment()
            observeEnd(entry)
        case .sessionTerminated: observeEnd(entry)
        case .sessionCreated, .sessionRotated, .permissionsChanged, .sessionSuspicious: break
        }
    }

    private func observeEnd(_ entry: AuditEntry) {
        guard let createdAt = entry.createdAt else { return }
        durations.record(Double(max(0, entry.timestamp.seconds - createdAt.seconds)))
    }

    /// A revocation was carried out.
    func countRevocation(reason: String) { (revocations[reason] ?? revocations[PrometheusFactory.other])?.count.add() }

    /// Every node had it after so long.
    func observePropagation(seconds: Double) { propagation.record(seconds) }

    func count(_ problem: ProblemCode) { problems[problem]?.count.add() }
}

extension NodeMetrics {
    /// A token was good. Returns whether this one is to be timed.
    func countActive(stripe: Int = 0) -> Bool { active.count.add(stripe: stripe) % Self.sampling == 0 }

    func count(_ refusal: RefusalReason, stripe: Int = 0) { validations[refusal.place].count.add(stripe: stripe) }

    /// Nothing could be said of a token.
    func countUnavailable() { unavailable.count.add() }

    func observeValidation(_ duration: Duration) { validationSeconds.record(duration / .seconds(1)) }

    func observeRedis(_ duration: Duration) { redisCommands.record(duration / .seconds(1)) }

    func countReconnect() { reconnects.increment() }

    func count(_ error: RedisError) { redisErrors[RedisErrorKind(error)]?.count.add() }
}

extension RefusalReason {
    /// Among the counters of validations: no text is hashed on the fast path.
    fileprivate var place: Int {
        switch self {
        case .tokenMissing: 0
        case .tokenMalformed: 1
        case .tokenSignatureInvalid: 2
        case .tokenExpired: 3
        case .sessionRevoked: 4
        case .sessionExpired: 5
        case .sessionSuperseded: 6
        case .sessionNotFound: 7
        case .refreshTokenReused: 8
        case .deviceMismatch: 9
        }
    }
}

/// `RedisError`'s cases, as a label.
enum RedisErrorKind: String, CaseIterable, Sendable {
    case unavailable, timeout, overloaded, server, closed
    case unexpectedReply = "unexpected_reply"

    init(_ error: RedisError) {
        switch error {
        case .unavailable: self = .unavailable
        case .timeout: self = .timeout
        case .overloaded: self = .overloaded
        case .server, .unproven: self = .server
        case .unexpectedReply: self = .unexpectedReply
        case .closed: self = .closed
        }
    }
}

extension NodeMetrics {
    /// A verdict that could not be given; a request that was wrong in itself counts among the problems only.
    func count(_ error: ServiceError) {
        switch error {
        case .stale, .redisUnavailable, .overloaded: countUnavailable()
        case .notFound, .conflict, .sessionLimitReached, .rateLimited, .preconditionFailed, .tokenRefused, .outOfRange,
            .malformed:
            break
        }
    }
}
