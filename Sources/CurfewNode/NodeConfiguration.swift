// Every setting of a node, as one tree of values with its defaults, checked as a whole before anything starts.
// The command line, the environment and the JSON file all end here; `SettingError` is the one line that a wrong one gets.

import CurfewCore
import Logging

/// What a node is started with.
package struct NodeConfiguration: Sendable {
    /// `host:port` of the listener for browsers, devices and gateways.
    package var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    /// `host:port` of the listener for backends and operators.
    package var adminListen = ListenAddress(host: "127.0.0.1", port: 8081)
    /// Plain HTTP off loopback, because a proxy or mesh in front ends TLS.
    package var allowsPlaintext = false
    /// Both listeners have TLS by these.
    package var tls: TLSFiles? {
        guard let tlsCertificate, let tlsKey else { return nil }
        return TLSFiles(certificate: tlsCertificate, key: tlsKey, adminAuthorities: adminClientAuthorities)
    }
    package var tlsCertificate: String?
    package var tlsKey: String?
    package var adminClientAuthorities: String?
    /// Whose word about a visitor's method and host (and, one day, address) is taken.
    package var trustedProxies = TrustedProxies.loopback
    /// Pages of other origins that may act for their browser's user.
    package var allowedOrigins = AllowedOrigins.none
    /// Cookies of plain names without Secure: for development over http.
    package var insecureCookies = false
    /// URL of the Redis; see `RedisTopology`.
    package var redis = "redis://127.0.0.1:6379/0"
    /// PEM file of the authorities that sign Redis' certificate; `nil`: the system's.
    package var redisCertificateAuthorities: String?
    /// At the sentinels, where there are some. The password is never logged.
    package var redisSentinelUser: String?
    package var redisSentinelPassword: String?
    /// Deadline of one Redis call.
    package var redisTimeout = Duration.seconds(2)
    /// HS256 secret of at least 32 bytes. Never logged.
    package var signingSecret = ""
    /// Instead of the secret: keys that take turns.
    package var signingKeys: [SigningKey] = []
    /// Where they came from, to be read again when it changes.
    package var signingKeysFile: String?
    /// Must match in every token, exactly.
    package var issuer = "curfew"
    package var audience = "curfew"
    /// Callers of the admin listener.
    package var apiKeys: [APIKey] = []
    /// Where some of them came from, to be read again when it changes.
    package var apiKeysFile: String?
    /// Prefix of every key and channel in Redis, without the colon.
    package var namespace = "curfew"
    /// Fixed when a cluster is created.
    package var partitions = 16
    /// Δ: no answer comes from a revocation state older than this.
    package var stalenessBound = Duration.seconds(1)
    /// How often a node asks Redis what it may have missed; at most a third of Δ.
    package var pollInterval = Duration.milliseconds(200)
    /// What a node does past Δ.
    package var onStale = StalePolicy.refuse
    /// Threads of the HTTP listeners; `nil`: one a core.
    package var threads: Int?
    /// Entries kept in a partition's log.
    package var logWindow = 100_000
    package var web = KindSettings(
        lifetime: .seconds(24 * 3600), absoluteLifetime: .seconds(30 * 86400), tokenLifetime: .seconds(24 * 3600),
        idleTimeout: .seconds(12 * 3600))
    package var remember = KindSettings(
        lifetime: .seconds(30 * 86400), absoluteLifetime: .seconds(180 * 86400), tokenLifetime: .seconds(24 * 3600))
    package var api = KindSettings(
        lifetime: .seconds(30 * 86400), absoluteLifetime: .seconds(30 * 86400), tokenLifetime: .seconds(15 * 60))
    /// How many sessions a user may have; 0 for any number.
    package var maximumSessionsPerUser = 0
    /// Past it the oldest ends; else the login is refused.
    package var evictsOldestSession = true
    /// Logins of a user; `nil` for any number.
    package var rateLimitIssue: RateLimit? = RateLimit(count: 60, window: .seconds(60))
    /// Refreshes of a session; `nil` for any number.
    package var rateLimitRefresh: RateLimit? = RateLimit(count: 30, window: .seconds(60))
    /// Failed logins that are reported, of a user and from an address; `nil`: not counted, and nobody is locked out.
    package var failureLimitOfUser: RateLimit? = RateLimit(count: 5, window: .seconds(15 * 60))
    package var failureLimitFromAddress: RateLimit? = RateLimit(count: 20, window: .seconds(15 * 60))
    /// What becomes of a token that another device shows.
    package var fingerprint = FingerprintPolicy.checked
    /// Signals that end what they are about; the others are told of only.
    package var revokingSignals: Set<AuditEntry.Signal> = []
    /// For how long a refresh token that was used gives the same new pair again.
    package var refreshGrace = Duration.seconds(10)
    /// For how long the id before is good where a session gets another one.
    package var rotationGrace = Duration.seconds(10)
    /// Of either.
    package static let longestGrace = Duration.seconds(60)
    package var limits = ListenerLimits()
    /// Audit entries go to standard output.
    package var hasAuditLog = true
    /// About so many of them are kept in Redis; `nil` for none.
    package var auditStreamLength: Int? = 100_000
    /// Least level that is logged.
    package var logLevel = Logger.Level.info

    package init() {}

    package func settings(of kind: SessionKind) -> KindSettings {
        switch kind {
        case .web: web
        case .remember: remember
        case .api: api
        }
    }

    var sessionLimit: SessionLimit? {
        maximumSessionsPerUser == 0
            ? nil : SessionLimit(maximum: maximumSessionsPerUser, evictsOldest: evictsOldestSession)
    }

    /// How often what was seen of sessions is told to Redis: with Δ, the slack of every idle timeout.
    package var activityInterval: Duration {
        let shortest = SessionKind.allCases.compactMap { settings(of: $0).idleTimeout }.min()
        return min(Activity.longestInterval, shortest.map { $0 / 10 } ?? Activity.longestInterval)
    }

    /// How often a node looks whether there is something to tell.
    package var activityTurn: Duration { min(activityInterval, .seconds(1)) }

    /// As the scripts take it.
    func lifetime(of kind: SessionKind) -> SessionLifetime {
        let settings = settings(of: kind)
        // A use is told after the interval, or, where Redis does not answer, at the next turn after Δ; a node that lost its Redis may
        // still answer for Δ.
        let idle = settings.idleTimeout.map { timeout in
            (timeout + activityInterval + activityTurn + stalenessBound * 2 + .milliseconds(999)).components.seconds
        }
        return SessionLifetime(
            seconds: settings.lifetime.components.seconds,
            absoluteSeconds: settings.absoluteLifetime.components.seconds, idleSeconds: idle)
    }
}

/// How many sessions a user may have, and what becomes of one login more.
package struct SessionLimit: Sendable, Equatable {
    package var maximum: Int
    /// The oldest ends; else the login is refused.
    package var evictsOldest: Bool

    package init(maximum: Int, evictsOldest: Bool) {
        self.maximum = maximum
        self.evictsOldest = evictsOldest
    }
}

/// An address to listen on. Port 0 lets the system choose.
package struct ListenAddress: Sendable, Equatable {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Only the loopback addresses themselves and `localhost`: any other name may resolve to anything.
    package var isLoopback: Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isIPv4 = parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
        return host == "::1" || host == "localhost" || (isIPv4 && parts[0] == "127")
    }
}

/// `--on-stale`.
package enum StalePolicy: Sendable, Equatable {
    /// Past Δ read Redis, else 503.
    case refuse
    /// Past Δ serve from memory, marked `stale`, for at most this long.
    case grace(Duration)
}

/// Lifetimes of one session kind.
package struct KindSettings: Sendable, Equatable {
    /// The session's, from issue or renewal.
    package var lifetime: Duration
    /// The session's, from its issue, whatever renews it.
    package var absoluteLifetime: Duration
    /// One token's; never longer than the session's.
    package var tokenLifetime: Duration
    /// For how long nobody may use it before it ends; `nil` for as long as it lives.
    package var idleTimeout: Duration?
    /// Fraction of the token's life after which `refresh` is true, 0…1.
    package var renewAfter: Double

    package init(
        lifetime: Duration, absoluteLifetime: Duration, tokenLifetime: Duration, idleTimeout: Duration? = nil,
        renewAfter: Double = 0.8
    ) {
        self.lifetime = lifetime
        self.absoluteLifetime = absoluteLifetime
        self.tokenLifetime = tokenLifetime
        self.idleTimeout = idleTimeout
        self.renewAfter = renewAfter
    }
}

/// What one listener takes before it answers with a refusal.
package struct ListenerLimits: Sendable, Equatable {
    package var maximumConnections = 12_000
    /// Of the public listener's connections. The rest is for who asks and goes.
    package var maximumEventStreams = 10_000
    /// Calls that are being worked on, validate's fast path aside.
    package var maximumCalls = 1_000
    package var maximumBodyBytes = 64 * 1024
    package var maximumBatchBodyBytes = 8 * 1024 * 1024
    package var maximumHeadBytes = 16 * 1024
    package var maximumHeadFields = 100
    package var headTimeout = Duration.seconds(10)
    package var idleTimeout = Duration.seconds(75)

    package init() {}

    /// Event streams where the public listener takes so many connections: nine tenths of them at most.
    func eventStreams(of connections: Int) -> Int {
        min(maximumEventStreams, max(1, connections - connections / 10))
    }
}

/// A caller of the admin listener: a name, SHA-256 of its key, what it may do.
package struct APIKey: Sendable, Equatable {
    package enum Role: String, Sendable, CaseIterable { case read, issue, revoke, admin }
    package var name: String
    /// 32 bytes.
    package var hash: [UInt8]
    package var roles: Set<Role>

    package init(name: String, hash: [UInt8], roles: Set<Role>) {
        self.name = name
        self.hash = hash
        self.roles = roles
    }
}

/// A setting that can't be: one line that names it, its value (secrets masked) and what was expected.
package struct SettingError: Error, Sendable, Equatable, CustomStringConvertible {
    package let setting: String
    package let value: String
    package let expected: String

    package init(setting: String, value: String, expected: String) {
        self.setting = setting
        self.value = value
        self.expected = expected
    }

    package var description: String { "\(setting): \(value), expected \(expected)" }
}
