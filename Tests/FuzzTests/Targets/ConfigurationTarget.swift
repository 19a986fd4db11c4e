// Settings from flags, variables and the file, and the texts in them: any of it gives a configuration or one line that
// says what was expected. That line never has a secret in it, wherever somebody put one.
//
// An input is a list of records (separated by U+001E): the source, what is set, its text (separated by U+001F).

import Foundation

@testable import CurfewNode
@testable import CurfewRedis
@testable import curfew

struct ConfigurationTarget: FuzzTarget {
    /// Stands for a password, a secret or a key.
    private static let marker = "Qx7marker7xQ"
    private static let mutation = Mutation([
        "@", ":", "/", "?", "#", "%", "%40", "%zz", "[", "]", "[::1]", ",", "://", "redis", "rediss", "+sentinel",
        "+cluster",
        "?db=", "&", "é", "\u{0}", " ", "\n", "-", "99999999999999999999d", "ms", "grace:", "{", "}", "\"", "\\",
    ])
    private static let names = Setting.all.map(\.name)

    // MARK: Inputs

    func input(_ random: inout Randomness) -> [UInt8] {
        let records = (0..<1 + random.below(4)).map { _ in record(&random) }
        return Array(records.map { $0.joined(separator: "\u{1F}") }.joined(separator: "\u{1E}").utf8)
    }

    private func record(_ random: inout Randomness) -> [String] {
        let name = random.isOne(in: 3) ? random.pick(["redis", "signing-secret", "api-key"]) : random.pick(Self.names)
        let text = random.isOne(in: 12) ? redisURL(&random) : text(name, &random)
        switch random.below(6) {
        case 0, 1: return ["flag", name, text]
        case 2:
            let variable = "CURFEW_" + name.uppercased().replacing("-", with: "_")
            return [
                "variable", random.isOne(in: 9) ? bent(variable, &random) : variable, text.replacing("\u{0}", with: ""),
            ]
        case 3: return ["file", "", file(name, text, &random)]
        case 4: return ["keys", "", keyFile(&random)]
        default: return ["text", "", text]
        }
    }

    private func text(_ name: String, _ random: inout Randomness) -> String {
        switch name {
        case "redis": return redisURL(&random)
        case "signing-secret": return random.pick(["", "\(Self.marker)\(Self.marker)\(Self.marker)"]) + Self.marker
        case "api-key": return "cfk_\(Self.marker)" + random.pick(["", " ", "é"])
        default: break
        }
        let plain = random.pick([
            "500ms", "15m", "24h", "30d", "0s", "\(random.number())\(random.pick(["ms", "s", "m", "h", "d", "y"]))",
            "true",
            "127.0.0.1:8080", "[::1]:80", "[]:80", "0.0.0.0:0", "localhost:65536", ":80", "grace:30s", "refuse", "0.8",
            "nan",
            "inf", "info", random.number(), random.word(), "/nowhere", "cfk_\(Self.marker)",
        ])
        return plain.contains(Self.marker) ? plain : bent(plain, &random)
    }

    /// The marker as the password; it stays whole, and something that begins a host stays behind it.
    private func redisURL(_ random: inout Randomness) -> String {
        let scheme = random.pick(["redis", "rediss", "redis+unix", "redis+sentinel", "rediss+cluster", "http", "REDIS"])
        let hosts = random.pick(["h", "h:6379", "[::1]:7000", "a:1,b:2,c", "", "h:0"])
        let path = random.pick([
            "", "/", "/0", "/mymaster", "/mymaster/3", "/tmp/r.sock?db=1", "/65536", "/1?x=2", "/%6d",
        ])
        let front = bent("\(scheme)://\(random.pick(["", "user", "u%20"])):", &random)
        return front + Self.marker + bent("", &random) + "@" + bent(hosts + path, &random)
    }

    private func keyFile(_ random: inout Randomness) -> String {
        let hash = random.pick([String(repeating: "ab", count: 32), Self.marker, String(repeating: "é", count: 32)])
        let role = random.pick(["read", "admin", Self.marker])
        return bent(#"{"keys":[{"name":"n","hash":"sha256:\#(hash)","roles":["\#(role)"]}]}"#, &random)
    }

    private func bent(_ text: String, _ random: inout Randomness) -> String {
        guard random.isOne(in: 2) else { return text }
        let bytes = Self.mutation.applied(to: Array(text.utf8), &random)
        let bent = String(decoding: bytes, as: UTF8.self).filter { $0 != "\u{1E}" && $0 != "\u{1F}" }
        // Half a secret would be another one, and a second one may land where names are.
        return bent.ranges(of: Self.marker).count == text.ranges(of: Self.marker).count ? bent : text
    }

    /// A file that is bent but still one object could say something else: where a secret is in it, only what is no
    /// JSON any more counts as bent.
    private func file(_ name: String, _ text: String, _ random: inout Randomness) -> String {
        let value = random.isOne(in: 5) ? random.number() : TokenTarget.quoted(text)
        let whole = "{\(TokenTarget.quoted(name)):\(value)}"
        let bent = bent(whole, &random)
        let isJSON = (try? JSONSerialization.jsonObject(with: Data(bent.utf8))) != nil
        return isJSON && whole.contains(Self.marker) ? whole : bent
    }

    // MARK: What must hold

    func check(_ input: [UInt8]) async throws {
        var flags: [String: String] = [:]
        var variables: [String: String] = [:]
        var file: String?
        for record in String(decoding: input, as: UTF8.self).split(separator: "\u{1E}") {
            let parts = record.split(separator: "\u{1F}", maxSplits: 2, omittingEmptySubsequences: false).map(
                String.init)
            guard parts.count == 3 else { continue }
            try checkText(parts[2])
            switch parts[0] {
            case "flag" where Self.names.contains(parts[1]): flags[parts[1]] = parts[2]
            case "variable": variables[parts[1]] = parts[2]
            case "file": file = parts[2]
            case "keys": try checkKeys(parts[2])
            default: continue
            }
        }
        try await checkSettings(flags: flags, variables: variables, file: file)
    }

    private func checkSettings(flags: [String: String], variables: [String: String], file: String?) async throws {
        var path: String?
        if let file {
            path = FileManager.default.temporaryDirectory.appending(path: "curfew-fuzz-\(getpid()).json").path
            try Data(file.utf8).write(to: URL(filePath: path ?? ""))
        }
        do {
            let sources = try await ConfigurationSources(flags: flags, config: path, environment: variables)
            _ = try sources.configuration()
        } catch let error as SettingError {
            try demandSilence(error.description)
        }
    }

    private func demandSilence(_ error: String) throws {
        try demand(!error.contains(Self.marker), "an error shows a secret: \(error)")
    }

    private func checkKeys(_ json: String) throws {
        do {
            let file = try APIKeyFile(json: Data(json.utf8))
            try demand(try APIKeyFile(json: Data(file.text.utf8)) == file, "a key file changes in writing")
        } catch let error as Setting.Expectation {
            try demandSilence(error.text)
        }
    }

    private func checkText(_ text: String) throws {
        if let duration = Duration(setting: text) {
            try demand(Duration(setting: duration.settingText) == duration, "a duration changes in writing")
        }
        if let address = ListenAddress(setting: text) {
            try demand(ListenAddress(setting: address.description) == address, "an address changes in writing")
        }
        do {
            let parts = try RedisURL(text)
            guard parts.password?.contains(Self.marker) == true else { return }
            for endpoint in parts.endpoints { try demandSilence(RedisAddress(endpoint, parts, tls: nil).description) }
        } catch let error as RedisAddressError {
            try demandSilence(error.description)
        }
    }
}
