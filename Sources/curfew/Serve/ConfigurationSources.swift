// Where settings come from: flags, then `CURFEW_…` variables, then the JSON file of `--config`, then the defaults.
// What nobody knows (a misspelt variable, a key of the file) is refused, not skipped.

import Configuration
import CurfewNode
import CurfewRedis
import Foundation

struct ConfigurationSources {
    private let flags: [String: String]
    private let environment: [String: String]
    private let file: String?
    private let reader: ConfigReader

    /// Reads the file, if one is named. Throws a `SettingError`.
    init(
        flags: [String: String], config: String? = nil, environment: [String: String]
    ) async throws {
        self.flags = flags
        self.environment = environment.filter { $0.key.hasPrefix("CURFEW_") }
        file = config ?? self.environment["CURFEW_CONFIG"]
        try Self.refuseUnknown(self.environment)
        var providers: [any ConfigProvider] = [
            InMemoryProvider(
                name: "flags",
                values: Dictionary(
                    uniqueKeysWithValues: flags.map { name, text in
                        (AbsoluteConfigKey([name]), ConfigValue(.string(text), isSecret: true))
                    })),
            EnvironmentVariablesProvider(environmentVariables: self.environment, secretsSpecifier: .all)
                .prefixKeys(with: ConfigKey(["curfew"])),
        ]
        if let file { providers.append(try await Self.provider(file: file)) }
        reader = ConfigReader(providers: providers)
    }

    /// The configuration, checked as a whole. Throws a `SettingError` that says where the value came from.
    func configuration() throws -> NodeConfiguration {
        do {
            let configuration = try NodeConfiguration { setting throws(SettingError) in
                reader.string(forKey: ConfigKey([setting.name]), isSecret: setting.isSecret)
            }
            try configuration.validate()
            return configuration
        } catch {
            throw SettingError(
                setting: error.setting, value: given(error.setting) ?? error.value,
                expected: error.expected + origin(of: error.setting))
        }
    }

    /// The value as it was written: `48h`, where the check would say `2d`.
    private func given(_ name: String) -> String? {
        guard let setting = Setting.all.first(where: { $0.name == name }) else { return nil }
        return reader.string(forKey: ConfigKey([name]), isSecret: setting.isSecret).map(setting.shown)
    }

    private func origin(of name: String) -> String {
        guard let setting = Setting.all.first(where: { $0.name == name }) else { return "" }
        if flags[name] != nil { return " (from --\(name))" }
        if environment[setting.environmentName] != nil { return " (from \(setting.environmentName))" }
        if let file, reader.string(forKey: ConfigKey([name])) != nil { return " (from \(file))" }
        return ""
    }

    private static func provider(file: String) async throws -> FileProvider<SettingsFile> {
        do {
            let path = InMemoryProvider(values: ["filePath": ConfigValue(.string(file), isSecret: false)])
            let settings = try await FileProvider<SettingsFile>(config: ConfigReader(provider: path))
            try refuseOpen(file, ConfigReader(provider: settings))
            return settings
        } catch let error as SettingError {
            throw SettingError(
                setting: error.setting, value: error.value, expected: error.expected + " (from \(file))")
        } catch {
            throw SettingError(setting: "config", value: "\"\(file)\"", expected: "a file that can be read")
        }
    }

    /// Whoever can write it can do what the node can; whoever can read a secret in it, too.
    private static func refuseOpen(_ file: String, _ reader: ConfigReader) throws(SettingError) {
        let hasSecret = Setting.all.contains { setting in
            let text = reader.string(forKey: ConfigKey(setting.name.split(separator: "-").map(String.init)))
            return text.map { setting.isSecret || RedisAddress.masked($0) != $0 } ?? false
        }
        do throws(Setting.Expectation) {
            _ = try SecretFile.text(path: file, maximumBytes: 1024 * 1024, isSecret: hasSecret)
        } catch {
            throw SettingError(setting: "config", value: "\"\(file)\"", expected: error.text)
        }
    }

    /// Variables of other commands are fine: one environment may serve them all.
    private static func refuseUnknown(_ environment: [String: String]) throws(SettingError) {
        let known = Setting.all.map(\.environmentName) + ["CURFEW_CONFIG", "CURFEW_URL"]
        for name in environment.keys.sorted() where !known.contains(name) {
            throw SettingError(
                setting: name, value: "unknown variable",
                expected: "CURFEW_ and the name of an option of \"curfew serve --help\"" + hint(name, among: known))
        }
    }

    /// The nearest known name, where one is near.
    static func hint(_ name: String, among known: [String]) -> String {
        let nearest = known.map { ($0, editDistance(Array(name.utf8), Array($0.utf8))) }.min { $0.1 < $1.1 }
        guard let (candidate, distance) = nearest, distance <= 3 else { return "" }
        return "; did you mean \(candidate)?"
    }

    /// Levenshtein's.
    private static func editDistance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        var row = Array(0...second.count)
        for (i, byte) in first.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in second.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (byte == other ? 0 : 1))
                diagonal = above
            }
        }
        return row[second.count]
    }
}
