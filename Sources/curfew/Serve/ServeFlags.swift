// The flags of `serve`. Each property is a row of the table of settings: its name is the row's, the sentence, the form
// and the default in `--help` come from there. Nothing is parsed here; the texts go on to `ConfigurationSources`.

import ArgumentParser
import CurfewNode

struct ServeFlags: ParsableArguments {
    @Option(name: .customLong("config"), help: "JSON file of option names and values.")
    var config: String?
    @OptionGroup(title: Setting.Group.listeners.rawValue) var listeners: ListenerFlags
    @OptionGroup(title: Setting.Group.redis.rawValue) var redis: RedisFlags
    @OptionGroup(title: Setting.Group.keys.rawValue) var keys: KeyFlags
    @OptionGroup(title: Setting.Group.freshness.rawValue) var freshness: FreshnessFlags
    @OptionGroup(title: Setting.Group.sessions.rawValue) var sessions: SessionFlags
    @OptionGroup(title: Setting.Group.process.rawValue) var process: ProcessFlags

    /// What was given, by setting.
    var texts: [String: String] {
        var all: [String: String?] = [:]
        for group in [listeners, redis, keys, freshness, sessions, process] as [any ParsableArguments] {
            all.merge(flagTexts(of: group)) { $1 }
        }
        assert(Set(all.keys) == Set(Setting.all.map(\.name)), "flags and table of settings differ")
        return all.compactMapValues { $0 }
    }
}

struct ListenerFlags: ParsableArguments {
    @Option(setting: "listen") var listen: String?
    @Option(setting: "admin-listen") var adminListen: String?
    @Option(setting: "tls-cert") var tlsCert: String?
    @Option(setting: "tls-key") var tlsKey: String?
    @Option(setting: "admin-client-ca") var adminClientCa: String?
    @Flag(name: .customLong("allow-plaintext"), help: help(of: "allow-plaintext")) var allowPlaintext = false
    @Option(setting: "trusted-proxies") var trustedProxies: String?
    @Option(setting: "cors-origins") var corsOrigins: String?
    @Flag(name: .customLong("insecure-cookies"), help: help(of: "insecure-cookies")) var insecureCookies = false
    @Option(setting: "max-connections") var maxConnections: String?
    @Option(setting: "max-event-streams") var maxEventStreams: String?
    @Option(setting: "max-calls") var maxCalls: String?
}

struct RedisFlags: ParsableArguments {
    @Option(setting: "redis") var redis: String?
    @Option(setting: "redis-ca") var redisCa: String?
    @Option(setting: "redis-sentinel-user") var redisSentinelUser: String?
    @Option(setting: "redis-sentinel-password") var redisSentinelPassword: String?
    @Option(setting: "redis-timeout") var redisTimeout: String?
    @Option(setting: "namespace") var namespace: String?
    @Option(setting: "partitions") var partitions: String?
}

struct KeyFlags: ParsableArguments {
    @Option(setting: "signing-secret") var signingSecret: String?
    @Option(setting: "signing-secret-file") var signingSecretFile: String?
    @Option(setting: "signing-keys") var signingKeys: String?
    @Option(setting: "issuer") var issuer: String?
    @Option(setting: "audience") var audience: String?
    @Option(setting: "api-key") var apiKey: String?
    @Option(setting: "api-key-file") var apiKeyFile: String?
    @Option(setting: "api-keys") var apiKeys: String?
}

struct FreshnessFlags: ParsableArguments {
    @Option(setting: "staleness-bound") var stalenessBound: String?
    @Option(setting: "poll-interval") var pollInterval: String?
    @Option(setting: "on-stale") var onStale: String?
}

struct SessionFlags: ParsableArguments {
    @Option(setting: "web-lifetime") var webLifetime: String?
    @Option(setting: "web-absolute-lifetime") var webAbsoluteLifetime: String?
    @Option(setting: "web-token-lifetime") var webTokenLifetime: String?
    @Option(setting: "web-idle-timeout") var webIdleTimeout: String?
    @Option(setting: "web-renew-after") var webRenewAfter: String?
    @Option(setting: "remember-lifetime") var rememberLifetime: String?
    @Option(setting: "remember-absolute-lifetime") var rememberAbsoluteLifetime: String?
    @Option(setting: "remember-token-lifetime") var rememberTokenLifetime: String?
    @Option(setting: "remember-idle-timeout") var rememberIdleTimeout: String?
    @Option(setting: "remember-renew-after") var rememberRenewAfter: String?
    @Option(setting: "api-lifetime") var apiLifetime: String?
    @Option(setting: "api-absolute-lifetime") var apiAbsoluteLifetime: String?
    @Option(setting: "api-token-lifetime") var apiTokenLifetime: String?
    @Option(setting: "api-idle-timeout") var apiIdleTimeout: String?
    @Option(setting: "api-renew-after") var apiRenewAfter: String?
    @Option(setting: "refresh-grace") var refreshGrace: String?
    @Option(setting: "rotation-grace") var rotationGrace: String?
    @Option(setting: "max-sessions-per-user") var maxSessionsPerUser: String?
    @Option(setting: "on-session-limit") var onSessionLimit: String?
    @Option(setting: "fingerprint") var fingerprint: String?
    @Option(setting: "on-suspicious") var onSuspicious: String?
    @Option(setting: "rate-limit-issue") var rateLimitIssue: String?
    @Option(setting: "rate-limit-refresh") var rateLimitRefresh: String?
    @Option(setting: "authentication-failure-limit-user") var authenticationFailureLimitUser: String?
    @Option(setting: "authentication-failure-limit-address") var authenticationFailureLimitAddress: String?
}

struct ProcessFlags: ParsableArguments {
    @Option(setting: "threads") var threads: String?
    @Option(setting: "audit-log") var auditLog: String?
    @Option(setting: "audit-stream") var auditStream: String?
    @Option(setting: "log-level") var logLevel: String?
}

extension Option where Value == String? {
    fileprivate init(setting name: String) {
        self.init(name: .customLong(name), help: help(of: name))
    }
}

private func help(of name: String) -> ArgumentHelp {
    guard let setting = Setting.all.first(where: { $0.name == name }) else {
        preconditionFailure("no setting is called \(name)")
    }
    return ArgumentHelp("\(setting.sentence) (default: \(setting.defaultText))", valueName: setting.form ?? name)
}

/// The property wrappers of a group, by setting: `_adminListen` is `admin-listen`.
private func flagTexts(of group: any ParsableArguments) -> [String: String?] {
    var texts: [String: String?] = [:]
    for child in Mirror(reflecting: group).children {
        guard let label = child.label?.dropFirst() else { continue }
        let name = label.reduce(into: "") { $0 += $1.isUppercase ? "-" + $1.lowercased() : String($1) }
        if let option = child.value as? Option<String?> {
            texts[name] = .some(option.wrappedValue)
        } else if let flag = child.value as? Flag<Bool> {
            texts[name] = .some(flag.wrappedValue ? "true" : nil)
        }
    }
    return texts
}
