// A configuration that can't be is refused as a whole, and the refusal names the setting.

import CurfewNode
import Testing

@Suite("A configuration is checked before anything starts")
struct ValidationTests {
    private static let secret = String(repeating: "s", count: 32)

    /// A configuration from texts, as the command line would have it, with a usable secret.
    private static func configuration(_ texts: [String: String]) throws -> NodeConfiguration {
        let all = ["signing-secret": secret].merging(texts) { $1 }
        return try NodeConfiguration { setting in all[setting.name] }
    }

    private static func refusal(_ texts: [String: String]) -> SettingError? {
        do {
            try configuration(texts).validate()
            return nil
        } catch {
            return error as? SettingError
        }
    }

    @Test("the defaults with a secret are usable")
    func defaultsAreUsable() throws {
        try Self.configuration([:]).validate()
    }

    @Test(
        "a wrong setting is named",
        arguments: [
            ("signing-secret", [:] as [String: String], "short"),
            ("listen", [:], "8080"), ("listen", [:], "0.0.0.0:8080"), ("listen", [:], "[::]:8080"),
            ("admin-listen", [:], "10.0.0.1:8081"),
            ("admin-listen", ["allow-plaintext": "true"], "10.0.0.1:8081"),
            ("admin-listen", [:], "127.0.0.1:8080"),
            ("admin-listen", ["listen": "0.0.0.0:8081", "allow-plaintext": "true"], "127.0.0.1:8081"),
            ("allow-plaintext", [:], "yes"), ("insecure-cookies", [:], "yes"),
            ("insecure-cookies", ["listen": "0.0.0.0:8080", "allow-plaintext": "true"], "true"),
            ("insecure-cookies", ["admin-listen": "0.0.0.0:8081", "allow-plaintext": "true"], "true"),
            ("trusted-proxies", [:], "10.0.0.0/33"), ("cors-origins", [:], "*"),
            ("redis", [:], "http://localhost"), ("redis", [:], ""), ("redis", [:], "localhost:6379"),
            ("redis-sentinel-password", [:], "pass"),
            ("redis-sentinel-user", ["redis": "redis+sentinel://h/name"], "ann"),
            ("redis-sentinel-user", [:], ""), ("redis", [:], "redis+sentinel://h"),
            ("redis-timeout", [:], "0s"), ("redis-timeout", [:], "5"), ("redis-timeout", [:], "5m"),
            ("namespace", [:], "a b"), ("namespace", [:], ""), ("namespace", [:], "a{b}"),
            ("partitions", [:], "0"), ("partitions", [:], "1025"), ("partitions", [:], "many"),
            ("issuer", [:], ""), ("audience", [:], "a\u{7}"),
            ("api-key", [:], "a b"), ("api-keys", [:], "/nowhere/keys.json"),
            ("staleness-bound", ["poll-interval": "400ms"], "1s"), ("staleness-bound", [:], "599ms"),
            ("staleness-bound", [:], "2h"), ("poll-interval", [:], "1ms"),
            ("on-stale", [:], "serve"), ("on-stale", [:], "grace"), ("on-stale", [:], "grace:0s"),
            ("on-stale", [:], "grace:2d"), ("fingerprint", [:], "maybe"), ("on-suspicious", [:], "end"),
            ("on-suspicious", [:], "session_limit=revoke"), ("on-suspicious", [:], "fingerprint_mismatch=end"),
            ("on-suspicious", [:], "fingerprint_mismatch=revoke,fingerprint_mismatch=report"),
            ("threads", [:], "0"), ("threads", [:], "1025"), ("log-level", [:], "loud"),
            ("web-lifetime", [:], "0s"), ("web-lifetime", [:], "1500ms"), ("web-token-lifetime", [:], "25h"),
            ("remember-token-lifetime", ["remember-lifetime": "1h"], "61m"), ("api-renew-after", [:], "0"),
            ("api-renew-after", [:], "1.5"), ("api-renew-after", [:], "nan"),
        ])
    func aWrongSettingIsNamed(setting: String, others: [String: String], text: String) throws {
        let refusal = try #require(Self.refusal(others.merging([setting: text]) { $1 }))
        #expect(refusal.setting == setting)
        #expect(!refusal.expected.isEmpty)
        #expect(!refusal.description.contains("\n"))
    }

    @Test("no refusal shows a secret")
    func noRefusalShowsASecret() throws {
        let short = try #require(Self.refusal(["signing-secret": "hunter2"]))
        let redis = try #require(Self.refusal(["redis": "redis://user:hunter2@host:port"]))
        let key = try #require(Self.refusal(["api-key": "hunter2 hunter2"]))
        let sentinel = try #require(Self.refusal(["redis-sentinel-password": "hunter2"]))
        for refusal in [short, redis, key, sentinel] { #expect(!refusal.description.contains("hunter2")) }
    }

    @Test("off loopback with plaintext allowed and a key is usable")
    func offLoopback() throws {
        try Self.configuration([
            "listen": "0.0.0.0:8080", "admin-listen": "0.0.0.0:8081", "allow-plaintext": "true", "api-key": "k",
        ]).validate()
    }

    @Test("port 0 twice is two ports")
    func portZeroTwice() throws {
        try Self.configuration(["listen": "127.0.0.1:0", "admin-listen": "127.0.0.1:0"]).validate()
    }

    @Test("a shorter session shortens the default token, an explicit token is refused")
    func defaultTokenLifetimeFollows() throws {
        let configuration = try Self.configuration(["web-lifetime": "1h"])
        #expect(configuration.web.tokenLifetime == .seconds(3600))
        #expect(Self.refusal(["web-lifetime": "1h", "web-token-lifetime": "2h"])?.setting == "web-token-lifetime")
    }

    @Test("stale policies")
    func stalePolicies() throws {
        #expect(try Self.configuration(["on-stale": "refuse"]).onStale == .refuse)
        func signals(_ text: String) throws -> Set<AuditEntry.Signal> {
            try Self.configuration(["on-suspicious": text]).revokingSignals
        }
        #expect(try signals("report").isEmpty)
        #expect(try signals("revoke") == [.fingerprintMismatch, .authenticationBurst, .newDevice])
        #expect(
            try signals("authentication_burst=report,fingerprint_mismatch=revoke") == [.fingerprintMismatch])
        #expect(try Self.configuration(["on-stale": "grace:30s"]).onStale == .grace(.seconds(30)))
    }
}
