// One option of `serve`: its name, what it takes, its default, one sentence, and how its text becomes part of a
// `NodeConfiguration`. The flags, the environment names, the keys of the JSON file, `--help` and the documentation all
// come from these rows, so none of them can disagree.

import CurfewRedis

/// A row of `Setting.all`.
package struct Setting: Sendable {
    /// Headings of `--help`.
    package enum Group: String, Sendable, CaseIterable {
        case listeners = "Listeners"
        case redis = "Redis"
        case keys = "Keys"
        case freshness = "Freshness"
        case sessions = "Sessions"
        case process = "Process"
    }

    /// What was wrong with a text: what would have been right.
    package struct Expectation: Error {
        package let text: String

        package init(_ text: String) { self.text = text }
    }

    /// Lower case and dashes: the flag without `--`, and the key in the JSON file.
    package let name: String
    package let group: Group
    /// What the value looks like, for `--help`: `host:port`, `duration` …; `nil` for a switch.
    package let form: String?
    /// In the form in which it would be given; in words where there is none.
    package let defaultText: String
    /// Ends with a full stop.
    package let sentence: String
    /// Never printed, logged or echoed.
    package let isSecret: Bool
    let apply: @Sendable (inout NodeConfiguration, String) throws(Expectation) -> Void

    /// `CURFEW_…`.
    package var environmentName: String {
        "CURFEW_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// What an error may show of a value: nothing of a secret, no password of a URL.
    package func shown(_ value: String) -> String {
        // A key where its file was meant is a key all the same.
        if isSecret || value.hasPrefix("cfk_") {
            return value.isEmpty ? "an empty value" : "(secret, \(value.utf8.count) bytes)"
        }
        return "\"\(RedisAddress.masked(value).prefix(120))\""
    }
}

extension NodeConfiguration {
    /// Every setting that `lookup` has a text for, the rest as it is by default; not checked as a whole yet
    /// (`validate()` does).
    package init(lookup: (Setting) throws(SettingError) -> String?) throws(SettingError) {
        self.init()
        var given: Set<String> = []
        for setting in Setting.all {
            guard let text = try lookup(setting) else { continue }
            given.insert(setting.name)
            do throws(Setting.Expectation) {
                try setting.apply(&self, text)
            } catch {
                throw SettingError(setting: setting.name, value: setting.shown(text), expected: error.text)
            }
        }
        shortenDefaultTokenLifetimes(given: given)
    }

    /// A default never contradicts what was asked for: a session shorter than its kind's default token gets tokens of
    /// its own length.
    private mutating func shortenDefaultTokenLifetimes(given: Set<String>) {
        if !given.contains("web-token-lifetime") { web.tokenLifetime = min(web.tokenLifetime, web.lifetime) }
        if !given.contains("remember-token-lifetime") {
            remember.tokenLifetime = min(remember.tokenLifetime, remember.lifetime)
        }
        if !given.contains("api-token-lifetime") { api.tokenLifetime = min(api.tokenLifetime, api.lifetime) }
    }
}
