// The configuration checked as a whole, before anything starts. The first thing that can't be is thrown; what only
// Redis can know (its version, its eviction policy, the cluster's partitions) is checked when the node connects.

import CurfewCore
import CurfewRedis

extension NodeConfiguration {
    /// Throws the first setting, or pair of settings, that can't be.
    package func validate() throws(SettingError) {
        try validateListeners()
        try validateKeys()
        try validateRedis()
        try validateFreshness()
        try validateKind("web", web)
        try validateKind("remember", remember)
        try validateKind("api", api)
        for (name, grace) in [("refresh-grace", refreshGrace), ("rotation-grace", rotationGrace)] {
            try require(
                grace >= .zero && grace <= Self.longestGrace, name, grace.settingText,
                "at most \(Self.longestGrace.settingText)")
        }
        if let threads {
            try require((1...1024).contains(threads), "threads", "\(threads)", "a whole number from 1 to 1024")
        }
    }

    private func validateListeners() throws(SettingError) {
        try require(
            !listen.collides(with: adminListen), "admin-listen", "\(adminListen)",
            "another address than that of listen (\(listen))")
        for (name, address) in [("listen", listen), ("admin-listen", adminListen)] {
            try require(
                address.isLoopback || allowsPlaintext || tls != nil, name, "\(address)",
                "a loopback address; off loopback tls-cert and tls-key, or allow-plaintext "
                    + "where a proxy or a mesh in front ends TLS")
        }
        let pair = [("tls-cert", tlsCertificate, "tls-key"), ("tls-key", tlsKey, "tls-cert")]
        for (name, path, other) in pair where tls == nil {
            try require(path == nil, name, "\"\((path ?? "").prefix(120))\"", "\(other) with it")
        }
        try require(
            adminClientAuthorities == nil || tls != nil, "admin-client-ca",
            "\"\((adminClientAuthorities ?? "").prefix(120))\"", "tls-cert and tls-key with it")
        _ = try tls?.load()
        for (name, address) in [("listen", listen), ("admin-listen", adminListen)] {
            try require(
                !insecureCookies || address.isLoopback, "insecure-cookies", "true",
                "a loopback address as \(name) (\(address)): off loopback anybody on the way could read the session's cookie"
            )
        }
        try require(
            adminListen.isLoopback || !apiKeys.isEmpty, "admin-listen", "\(adminListen)",
            "a loopback address, or api-keys or api-key to protect it")
    }

    private func validateKeys() throws(SettingError) {
        let size = signingSecret.utf8.count
        try require(
            size >= 32 || !signingKeys.isEmpty, "signing-secret",
            size == 0 ? "nothing" : "(secret, \(size) bytes)",
            "at least 32 bytes, the same on every node, such as \"openssl rand -base64 32\" prints, or signing-keys")
        for (name, text) in [("issuer", issuer), ("audience", audience)] {
            try require(
                (1...128).contains(text.utf8.count) && !text.unicodeScalars.contains(where: Self.isControl),
                name, "\"\(text.prefix(120))\"", "1 to 128 bytes of UTF-8 without control characters")
        }
        var names: Set<String> = []
        var hashes: Set<[UInt8]> = []
        for key in apiKeys {
            try require(names.insert(key.name).inserted, "api-keys", "\"\(key.name)\"", "each name once")
            try require(hashes.insert(key.hash).inserted, "api-keys", "\"\(key.name)\"", "a key that no other name has")
        }
    }

    private func validateRedis() throws(SettingError) {
        _ = try redisTopology()
        let hasSentinels = RedisTopology.name(ofURL: redis) == "sentinel"
        try require(
            redisSentinelPassword == nil || hasSentinels, "redis-sentinel-password", "(secret)",
            "a redis+sentinel:// URL as redis")
        try require(
            redisSentinelUser == nil || redisSentinelPassword != nil, "redis-sentinel-user",
            "\"\((redisSentinelUser ?? "").prefix(120))\"", "redis-sentinel-password with it")
        try require(
            (.milliseconds(10) ... .seconds(60)).contains(redisTimeout), "redis-timeout", redisTimeout.settingText,
            "a duration from 10ms to 60s")
        try require(
            APIKeyFile.isUsableName(namespace), "namespace", "\"\(namespace.prefix(120))\"",
            "1 to 64 letters, digits, dots, dashes and underscores")
        try require(
            (1...1024).contains(partitions), "partitions", "\(partitions)", "a whole number from 1 to 1024")
    }

    private func validateFreshness() throws(SettingError) {
        try require(
            (.milliseconds(10) ... .seconds(60)).contains(pollInterval), "poll-interval", pollInterval.settingText,
            "a duration from 10ms to 60s")
        try require(
            stalenessBound >= pollInterval * 3, "staleness-bound", stalenessBound.settingText,
            "at least three poll intervals (\((pollInterval * 3).settingText))")
        try require(
            stalenessBound <= .milliseconds(ServingHabit.maximumStalenessMilliseconds), "staleness-bound",
            stalenessBound.settingText, "at most 1h")
        if case .grace(let grace) = onStale {
            try require(
                grace > .zero && grace <= .seconds(86_400), "on-stale", "grace:\(grace.settingText)",
                "a grace of at most 24h")
        }
    }

    private func validateKind(_ kind: String, _ settings: KindSettings) throws(SettingError) {
        var durations = [
            ("\(kind)-lifetime", settings.lifetime), ("\(kind)-absolute-lifetime", settings.absoluteLifetime),
            ("\(kind)-token-lifetime", settings.tokenLifetime),
        ]
        if let idle = settings.idleTimeout { durations.append(("\(kind)-idle-timeout", idle)) }
        for (name, duration) in durations {
            try require(
                duration >= .seconds(1) && duration.isWholeSeconds && duration <= .seconds(3650 * 86_400), name,
                duration.settingText, "whole seconds, from 1s to 3650d")
        }
        try require(
            settings.tokenLifetime <= settings.lifetime, "\(kind)-token-lifetime", settings.tokenLifetime.settingText,
            "at most the session's lifetime (\(kind)-lifetime, \(settings.lifetime.settingText))")
        try require(
            settings.lifetime <= settings.absoluteLifetime, "\(kind)-lifetime", settings.lifetime.settingText,
            "at most the absolute lifetime (\(kind)-absolute-lifetime, \(settings.absoluteLifetime.settingText))")
        try require(
            settings.renewAfter > 0 && settings.renewAfter <= 1, "\(kind)-renew-after", "\(settings.renewAfter)",
            "a fraction above 0 and at most 1")
    }

    private func require(
        _ holds: Bool, _ setting: String, _ value: String, _ expected: String
    ) throws(SettingError) {
        guard holds else { throw SettingError(setting: setting, value: value, expected: expected) }
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }
}
