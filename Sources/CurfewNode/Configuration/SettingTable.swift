// The table of settings. A new one is a row here and a flag of the same name in the command.

import Logging

extension Setting {
    /// In the order of `--help`.
    package static let all: [Setting] = listeners + redis + keys + freshness + sessions + process

    private static let listeners: [Setting] = [
        .init(
            "listen", .listeners, form: "host:port", default: "127.0.0.1:8080",
            "Where browsers, devices, gateways and services reach the node."
        ) { configuration, text throws(Expectation) in configuration.listen = try address(text) },
        .init(
            "admin-listen", .listeners, form: "host:port", default: "127.0.0.1:8081",
            "Where the application's backends and operators reach the node."
        ) { configuration, text throws(Expectation) in configuration.adminListen = try address(text) },
        .init(
            "tls-cert", .listeners, form: "file", default: "none",
            "PEM file of the certificate of both listeners, and of those between it and its authority; read again when it changes."
        ) { configuration, text throws(Expectation) in
            configuration.tlsCertificate = try nonEmpty(text, "the path of a PEM file")
        },
        .init(
            "tls-key", .listeners, form: "file", default: "none",
            "PEM file of that certificate's private key; one that others can read is refused."
        ) { configuration, text throws(Expectation) in
            configuration.tlsKey = try nonEmpty(text, "the path of a PEM file")
        },
        .init(
            "admin-client-ca", .listeners, form: "file", default: "none",
            "PEM file of the authorities of whose certificates every client of the admin listener must have one."
        ) { configuration, text throws(Expectation) in
            configuration.adminClientAuthorities = try nonEmpty(text, "the path of a PEM file")
        },
        .init(
            "allow-plaintext", .listeners, form: nil, default: "false",
            "Listen without TLS off loopback, because a proxy or a mesh in front of the node ends it."
        ) { configuration, text throws(Expectation) in configuration.allowsPlaintext = try flag(text) },
        .init(
            "trusted-proxies", .listeners, form: "networks", default: "127.0.0.0/8,::1",
            "Proxies whose word about a visitor is taken: addresses and networks, separated by commas, or none."
        ) { configuration, text throws(Expectation) in
            guard let proxies = TrustedProxies(text) else { throw Expectation(TrustedProxies.expected) }
            configuration.trustedProxies = proxies
        },
        .init(
            "cors-origins", .listeners, form: "origins", default: "none",
            "Pages of other origins that may call the public listener with the cookie, separated by commas, or none."
        ) { configuration, text throws(Expectation) in
            guard let origins = AllowedOrigins(text) else { throw Expectation(AllowedOrigins.expected) }
            configuration.allowedOrigins = origins
        },
        .init(
            "insecure-cookies", .listeners, form: nil, default: "false",
            "Set cookies without Secure and the __Host- prefix, for development over http on a loopback address."
        ) { configuration, text throws(Expectation) in configuration.insecureCookies = try flag(text) },
        .init(
            "max-connections", .listeners, form: "count", default: "12000",
            "Connections that each listener has at once, 1 to 1000000; one more ends the one that was idle longest."
        ) { configuration, text throws(Expectation) in
            configuration.limits.maximumConnections = try count(text, in: 1...1_000_000)
        },
        .init(
            "max-event-streams", .listeners, form: "count", default: "10000",
            "Event streams that the node has at once, 1 to 1000000; at most nine tenths of max-connections."
        ) { configuration, text throws(Expectation) in
            configuration.limits.maximumEventStreams = try count(text, in: 1...1_000_000)
        },
        .init(
            "max-calls", .listeners, form: "count", default: "1000",
            "Calls that each listener works on at once, 1 to 100000, validate from memory aside; more are answered 503."
        ) { configuration, text throws(Expectation) in
            configuration.limits.maximumCalls = try count(text, in: 1...100_000)
        },
    ]

    private static let redis: [Setting] = [
        .init(
            "redis", .redis, form: "url", default: "redis://127.0.0.1:6379/0",
            "The Redis that all nodes share: redis://[user:password@]host:port/db, rediss://, redis+unix:///path, "
                + "redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port."
        ) { configuration, text in configuration.redis = text },
        .init(
            "redis-ca", .redis, form: "file", default: "the system's authorities",
            "PEM file of the authorities that may sign the certificate of a rediss:// Redis."
        ) { configuration, text throws(Expectation) in
            configuration.redisCertificateAuthorities = try nonEmpty(text, "the path of a PEM file")
        },
        .init(
            "redis-sentinel-user", .redis, form: "name", default: "none",
            "ACL user at the sentinels of a redis+sentinel:// Redis; the URL's own user is for Redis."
        ) { configuration, text throws(Expectation) in
            configuration.redisSentinelUser = try nonEmpty(text, "the name of an ACL user")
        },
        .init(
            "redis-sentinel-password", .redis, form: "secret", default: "none", secret: true,
            "Password at the sentinels of a redis+sentinel:// Redis; better given as environment."
        ) { configuration, text throws(Expectation) in
            configuration.redisSentinelPassword = try nonEmpty(text, "a password")
        },
        .init(
            "redis-timeout", .redis, form: "duration", default: "2s", "Deadline of one call to Redis."
        ) { configuration, text throws(Expectation) in configuration.redisTimeout = try duration(text) },
        .init(
            "namespace", .redis, form: "name", default: "curfew",
            "Prefix of every key and channel, so that several clusters can share a Redis."
        ) { configuration, text in configuration.namespace = text },
        .init(
            "partitions", .redis, form: "count", default: "16",
            "Partitions of the revocation log, 1 to 1024; fixed when the cluster is created."
        ) { configuration, text throws(Expectation) in
            configuration.partitions = try integer(text, "a whole number from 1 to 1024")
        },
    ]

    private static let keys: [Setting] = [
        .init(
            "signing-secret", .keys, form: "secret", default: "none, must be given", secret: true,
            "Secret of at least 32 bytes that signs every token, the same on every node; better given as environment."
        ) { configuration, text in configuration.signingSecret = text },
        .init(
            "signing-secret-file", .keys, form: "file", default: "none",
            "File that holds the signing secret, and nothing else; one that others can read is refused."
        ) { configuration, text throws(Expectation) in
            guard configuration.signingSecret.isEmpty else { throw Expectation("no signing-secret beside it") }
            configuration.signingSecret = try SecretFile.load(path: text)
        },
        .init(
            "signing-keys", .keys, form: "file", default: "none",
            "File of signing keys instead, as \"curfew keys generate\" writes it; read again when it changes, and on SIGHUP."
        ) { configuration, text throws(Expectation) in
            guard configuration.signingSecret.isEmpty else { throw Expectation("no signing-secret beside it") }
            configuration.signingKeys = try SigningKeyFile.load(path: text).keys()
            configuration.signingKeysFile = text
        },
        .init(
            "issuer", .keys, form: "name", default: "curfew", "Issuer (iss) of every token; must match exactly."
        ) { configuration, text in configuration.issuer = text },
        .init(
            "audience", .keys, form: "name", default: "curfew", "Audience (aud) of every token; must match exactly."
        ) { configuration, text in configuration.audience = text },
        .init(
            "api-key", .keys, form: "key", default: "none", secret: true,
            "A key for the admin listener with every role; better given as environment, or as --api-keys."
        ) { configuration, text throws(Expectation) in
            let roles = Set(APIKey.Role.allCases)
            configuration.apiKeys.append(try APIKey(name: APIKey.commandLineName, key: text, roles: roles))
        },
        .init(
            "api-key-file", .keys, form: "file", default: "none",
            "File that holds such a key, and nothing else; one that others can read is refused."
        ) { configuration, text throws(Expectation) in
            guard configuration.apiKeys.isEmpty else { throw Expectation("no api-key beside it") }
            let (key, roles) = (try SecretFile.load(path: text), Set(APIKey.Role.allCases))
            configuration.apiKeys.append(try APIKey(name: APIKey.commandLineName, key: key, roles: roles))
        },
        .init(
            "api-keys", .keys, form: "file", default: "none",
            "File of hashed admin keys and roles, as \"curfew keys api\" writes it; read again when it changes."
        ) { configuration, text throws(Expectation) in
            configuration.apiKeys += try APIKeyFile.load(path: text).keys
            configuration.apiKeysFile = text
        },
    ]

    private static let freshness: [Setting] = [
        .init(
            "staleness-bound", .freshness, form: "duration", default: "1s",
            "No answer comes from a revocation state older than this; at least three poll intervals."
        ) { configuration, text throws(Expectation) in configuration.stalenessBound = try duration(text) },
        .init(
            "poll-interval", .freshness, form: "duration", default: "200ms",
            "How often a node asks Redis what it may have missed."
        ) { configuration, text throws(Expectation) in configuration.pollInterval = try duration(text) },
        .init(
            "on-stale", .freshness, form: "refuse|grace:duration", default: "refuse",
            "Past the staleness bound without Redis: refuse (503), or serve from memory, marked stale, for that long."
        ) { configuration, text throws(Expectation) in configuration.onStale = try stalePolicy(text) },
    ]

    private static let sessions: [Setting] =
        kind("web", \.web, lifetime: "24h", absolute: "30d", tokenLifetime: "24h", idle: "12h")
        + kind("remember", \.remember, lifetime: "30d", absolute: "180d", tokenLifetime: "24h", idle: "off")
        + kind("api", \.api, lifetime: "30d", absolute: "30d", tokenLifetime: "15m", idle: "off")
        + [
            .init(
                "refresh-grace", .sessions, form: "duration", default: "10s",
                "For how long a refresh token that was used gives the same new pair again; later it ends the session."
            ) { configuration, text throws(Expectation) in configuration.refreshGrace = try duration(text) },
            .init(
                "rotation-grace", .sessions, form: "duration", default: "10s",
                "For how long the id before is good where a session gets another one, unless the call says."
            ) { configuration, text throws(Expectation) in configuration.rotationGrace = try duration(text) },
            .init(
                "max-sessions-per-user", .sessions, form: "count|off", default: "off",
                "Sessions that a user may have at once, 1 to 1000, on all devices together."
            ) { configuration, text throws(Expectation) in
                configuration.maximumSessionsPerUser = try countOrOff(text, in: 1...1000) ?? 0
            },
            .init(
                "on-session-limit", .sessions, form: "evict-oldest|refuse", default: "evict-oldest",
                "Past max-sessions-per-user: end the user's oldest session, or refuse the login (409)."
            ) { configuration, text throws(Expectation) in
                configuration.evictsOldestSession = try isFirst(text, "evict-oldest", or: "refuse")
            },
            .init(
                "fingerprint", .sessions, form: "checked|required|off", default: "checked",
                "Of sessions that were issued with a fingerprint: refuse a wrong Curfew-Fingerprint, a missing one too, or neither."
            ) { configuration, text throws(Expectation) in
                guard let policy = FingerprintPolicy(rawValue: text) else {
                    throw Expectation("checked, required or off")
                }
                configuration.fingerprint = policy
            },
            .init(
                "on-suspicious", .sessions, form: "report|revoke|signal=…", default: "report",
                "What fingerprint_mismatch, authentication_burst and new_device do: an entry in the audit log, or the end of the session "
                    + "or of the user's sessions, too."
            ) { configuration, text throws(Expectation) in configuration.revokingSignals = try revokingSignals(text) },
        ] + rateLimits

    private static let process: [Setting] = [
        .init(
            "threads", .process, form: "count", default: "one a core", "Threads that serve the listeners, 1 to 1024."
        ) { configuration, text throws(Expectation) in
            configuration.threads = try integer(text, "a whole number from 1 to 1024")
        },
        .init(
            "audit-log", .process, form: "stdout|off", default: "stdout",
            "Where the audit log goes: a line of JSON on standard output for everything that happens to a session, or nowhere."
        ) { configuration, text throws(Expectation) in
            configuration.hasAuditLog = try isFirst(text, "stdout", or: "off")
        },
        .init(
            "audit-stream", .process, form: "count|off", default: "100000",
            "About so many entries of the audit log are kept in Redis, 100 to 10000000, for GET /v1/audit and \"curfew watch\"."
        ) { configuration, text throws(Expectation) in
            configuration.auditStreamLength = try countOrOff(text, in: 100...10_000_000)
        },
        .init(
            "log-level", .process, form: "level", default: "info",
            "Least level that is logged: trace, debug, info, notice, warning, error or critical."
        ) { configuration, text throws(Expectation) in
            guard let level = Logger.Level(rawValue: text) else {
                throw Expectation("one of " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))
            }
            configuration.logLevel = level
        },
    ]

    private static func kind(
        _ kind: String, _ path: any WritableKeyPath<NodeConfiguration, KindSettings> & Sendable,
        lifetime: String, absolute: String, tokenLifetime: String, idle: String
    ) -> [Setting] {
        [
            .init(
                "\(kind)-lifetime", .sessions, form: "duration", default: lifetime,
                "How long a session of kind \(kind) lasts after it was issued or renewed."
            ) { configuration, text throws(Expectation) in configuration[keyPath: path].lifetime = try duration(text) },
            .init(
                "\(kind)-absolute-lifetime", .sessions, form: "duration", default: absolute,
                "How long a session of kind \(kind) lasts at most, however often it is renewed."
            ) { configuration, text throws(Expectation) in
                configuration[keyPath: path].absoluteLifetime = try duration(text)
            },
            .init(
                "\(kind)-token-lifetime", .sessions, form: "duration", default: tokenLifetime,
                "How long one token of kind \(kind) lasts; never longer than the session."
            ) { configuration, text throws(Expectation) in
                configuration[keyPath: path].tokenLifetime = try duration(text)
            },
            .init(
                "\(kind)-idle-timeout", .sessions, form: "duration|off", default: idle,
                "How long a session of kind \(kind) may go unused before it ends; off: as long as it lasts."
            ) { configuration, text throws(Expectation) in
                configuration[keyPath: path].idleTimeout = text == "off" ? nil : try idleTimeout(text)
            },
            .init(
                "\(kind)-renew-after", .sessions, form: "fraction", default: "0.8",
                "Fraction of the life of a token of kind \(kind) after which validate asks for a refresh."
            ) { configuration, text throws(Expectation) in
                guard let fraction = Double(text), fraction > 0, fraction <= 1 else {
                    throw Expectation("a fraction above 0 and at most 1, such as 0.8")
                }
                configuration[keyPath: path].renewAfter = fraction
            },
        ]
    }

    private init(
        _ name: String, _ group: Group, form: String?, default defaultText: String, secret isSecret: Bool = false,
        _ sentence: String,
        apply: @escaping @Sendable (inout NodeConfiguration, String) throws(Expectation) -> Void
    ) {
        self.init(
            name: name, group: group, form: form, defaultText: defaultText, sentence: sentence, isSecret: isSecret,
            apply: apply)
    }
}
