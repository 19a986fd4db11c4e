// The JSON file of `--config`, as a snapshot for swift-configuration: one flat object of option names and texts,
// numbers or booleans. Stricter than the library's own: a key that is no option's, or a list, is refused.

import Configuration
import CurfewNode
import Foundation

struct SettingsFile: FileConfigSnapshot {
    struct ParsingOptions: FileParsingOptions {
        static let `default` = ParsingOptions()
    }

    let providerName: String
    private let texts: [String: String]

    init(data: RawSpan, providerName: String, parsingOptions: ParsingOptions) throws {
        self.providerName = providerName
        texts = try Self.texts(json: data.withUnsafeBytes { Data($0) })
    }

    func value(forKey key: AbsoluteConfigKey, type: ConfigType) throws -> LookupResult {
        let name = key.components.joined(separator: "-")
        return LookupResult(
            encodedKey: name, value: texts[name].map { ConfigValue(.string($0), isSecret: true) })
    }

    var description: String { "\(providerName)[\(texts.count) values]" }
    var debugDescription: String { description }

    private static func texts(json: Data) throws(SettingError) -> [String: String] {
        guard let object = try? JSONDecoder().decode([String: Scalar].self, from: json) else {
            throw SettingError(
                setting: "config", value: "this file",
                expected: "one JSON object of option names and texts, numbers or booleans")
        }
        let known = Setting.all.map(\.name)
        for name in object.keys.sorted() where !known.contains(name) {
            throw SettingError(
                // A secret can stand where a name should.
                setting: "config", value: name.utf8.count <= 24 ? "\"\(name)\"" : "a name of \(name.utf8.count) bytes",
                expected: "names of options of \"curfew serve --help\""
                    + ConfigurationSources.hint(name, among: known))
        }
        return object.mapValues(\.text)
    }
}

/// A JSON value as the text it would have on the command line.
private struct Scalar: Decodable {
    let text: String

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            text = "\(flag)"
        } else if let number = try? container.decode(Int.self) {
            text = "\(number)"
        } else if let number = try? container.decode(Double.self) {
            text = "\(number)"
        } else {
            text = try container.decode(String.self)
        }
    }
}
