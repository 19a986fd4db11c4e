// The forms that settings come in, each with the words for what it expects.

extension Setting {
    static func address(_ text: String) throws(Expectation) -> ListenAddress {
        guard let address = ListenAddress(setting: text) else {
            throw Expectation("host:port such as 127.0.0.1:8080 or [::1]:8080")
        }
        return address
    }

    static func duration(_ text: String) throws(Expectation) -> Duration {
        guard let duration = Duration(setting: text) else {
            throw Expectation("a duration such as 500ms, 30s, 15m, 24h or 30d")
        }
        return duration
    }

    static func idleTimeout(_ text: String) throws(Expectation) -> Duration {
        guard let duration = Duration(setting: text) else {
            throw Expectation("off, or a duration such as 15m, 12h or 30d")
        }
        return duration
    }

    static func flag(_ text: String) throws(Expectation) -> Bool {
        guard let value = Bool(text) else { throw Expectation("true or false") }
        return value
    }

    /// Of two words, whether it is the first.
    static func isFirst(_ text: String, _ first: String, or second: String) throws(Expectation) -> Bool {
        guard text == first || text == second else { throw Expectation("\(first) or \(second)") }
        return text == first
    }

    static func integer(_ text: String, _ expected: String) throws(Expectation) -> Int {
        guard let value = Int(text) else { throw Expectation(expected) }
        return value
    }

    static func count(_ text: String, in range: ClosedRange<Int>) throws(Expectation) -> Int {
        guard let count = Int(text), range.contains(count) else {
            throw Expectation("a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return count
    }

    /// `nil` for off.
    static func countOrOff(_ text: String, in range: ClosedRange<Int>) throws(Expectation) -> Int? {
        guard text != "off" else { return nil }
        do { return try count(text, in: range) } catch { throw Expectation("off, or \(error.text)") }
    }

    static func nonEmpty(_ text: String, _ expected: String) throws(Expectation) -> String {
        guard !text.isEmpty else { throw Expectation(expected) }
        return text
    }

    static func stalePolicy(_ text: String) throws(Expectation) -> StalePolicy {
        if text == "refuse" { return .refuse }
        guard text.hasPrefix("grace:"), let grace = Duration(setting: text.dropFirst("grace:".count)), grace > .zero
        else { throw Expectation("refuse, or grace: and a duration, such as grace:30s") }
        return .grace(grace)
    }

    /// Those that may end something. (An old refresh token always ends its session.)
    private static let configurableSignals: [AuditEntry.Signal] = [
        .fingerprintMismatch, .authenticationBurst, .newDevice,
    ]

    static func revokingSignals(_ text: String) throws(Expectation) -> Set<AuditEntry.Signal> {
        if text == "report" { return [] }
        if text == "revoke" { return Set(configurableSignals) }
        var signals: Set<AuditEntry.Signal> = []
        var named: Set<AuditEntry.Signal> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: "=", omittingEmptySubsequences: false)
            guard words.count == 2, let signal = configurableSignals.first(where: { $0.rawValue == words[0] }),
                named.insert(signal).inserted, words[1] == "report" || words[1] == "revoke"
            else {
                throw Expectation(
                    "report, revoke, or "
                        + configurableSignals.map { "\($0.rawValue)=report|revoke" }.joined(separator: ","))
            }
            if words[1] == "revoke" { signals.insert(signal) }
        }
        return signals
    }
}
