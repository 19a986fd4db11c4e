// The settings that bound how often something may happen. Each is counted in Redis, for the whole cluster: they are settings for all nodes.

extension Setting {
    static let rateLimits: [Setting] = [
        rateLimit("rate-limit-issue", \.rateLimitIssue, default: "60/1m", "Logins of one user in any such window."),
        rateLimit(
            "rate-limit-refresh", \.rateLimitRefresh, default: "30/1m", "Refreshes of one session in any such window."),
        rateLimit(
            "authentication-failure-limit-user", \.failureLimitOfUser, default: "5/15m",
            "Failed logins of one user; with as many, issue is refused until one leaves the window."),
        rateLimit(
            "authentication-failure-limit-address", \.failureLimitFromAddress, default: "20/15m",
            "Failed logins from one address, likewise."),
    ]

    private static func rateLimit(
        _ name: String, _ path: any WritableKeyPath<NodeConfiguration, RateLimit?> & Sendable,
        default defaultText: String, _ sentence: String
    ) -> Setting {
        Setting(
            name: name, group: .sessions, form: "count/duration|off", defaultText: defaultText, sentence: sentence,
            isSecret: false
        ) { configuration, text throws(Expectation) in
            guard text != "off" else {
                configuration[keyPath: path] = nil
                return
            }
            guard let limit = RateLimit(setting: text) else {
                throw Expectation(
                    "off, or a count from 1 to \(RateLimit.greatestCount) and whole seconds up to 24h, such as 60/1m")
            }
            configuration[keyPath: path] = limit
        }
    }
}
