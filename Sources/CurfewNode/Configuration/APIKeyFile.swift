// Keys of the admin listener: how one is hashed, and the JSON file that holds the hashes:
//
//     {"keys":[{"name":"backend","hash":"sha256:<64 hex digits>","roles":["issue","revoke","read"]}]}
//
// The file never holds a key itself. Whatever is wrong in it, the error says in which entry.

import CurfewCore
import Foundation

extension APIKey {
    /// The name of the key that `api-key` gives.
    package static let commandLineName = "api-key"

    /// SHA-256 of the key. A plain hash is enough for 256 random bits: there is nothing to guess.
    package static func hash(ofKey key: String) -> [UInt8] {
        sha256(Array(key.utf8))
    }

    /// A key as the command line has it. Throws unless it can travel in an `Authorization: Bearer` header.
    package init(name: String, key: String, roles: Set<Role>) throws(Setting.Expectation) {
        guard !key.isEmpty, key.utf8.count <= 1024, key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Setting.Expectation("1 to 1024 printable ASCII characters without spaces")
        }
        self.init(name: name, hash: Self.hash(ofKey: key), roles: roles)
    }
}

/// The file's content.
package struct APIKeyFile: Sendable, Equatable {
    private static let maximumBytes = 1024 * 1024

    package var keys: [APIKey]

    package init(keys: [APIKey] = []) { self.keys = keys }

    /// Reads and checks a file: unique names and hashes, known roles, no unknown members.
    package static func load(path: String) throws(Setting.Expectation) -> APIKeyFile {
        let text = try SecretFile.text(path: path, maximumBytes: maximumBytes, isSecret: false)
        return try APIKeyFile(json: Data(text.utf8))
    }

    package init(json: Data) throws(Setting.Expectation) {
        guard let top = (try? JSONSerialization.jsonObject(with: json)) as? [String: Any],
            let entries = top["keys"] as? [Any], top.count == 1
        else { throw Setting.Expectation("a JSON object {\"keys\":[…]} and nothing else") }
        guard entries.count <= 1000 else { throw Setting.Expectation("at most 1000 keys") }
        keys = []
        for (index, entry) in entries.enumerated() {
            do throws(Setting.Expectation) {
                let key = try Self.key(from: entry)
                if keys.contains(where: { $0.name == key.name }) { throw Setting.Expectation("a name used once") }
                if keys.contains(where: { $0.hash == key.hash }) { throw Setting.Expectation("a hash used once") }
                keys.append(key)
            } catch {
                throw Setting.Expectation("\(error.text) in entry \(index + 1)\(Self.label(of: entry))")
            }
        }
    }

    /// The file's text, an entry a line.
    package var text: String {
        let lines = keys.map { key in
            let roles = APIKey.Role.allCases.filter(key.roles.contains).map { "\"\($0.rawValue)\"" }
            return "  {\"name\":\"\(key.name)\",\"hash\":\"sha256:\(key.hash.hexadecimal)\","
                + "\"roles\":[\(roles.joined(separator: ","))]}"
        }
        return "{\"keys\":[\n" + lines.joined(separator: ",\n") + "\n]}\n"
    }

    /// 1–64 of `A-Z a-z 0-9 . _ -`: it shows in logs and needs no escaping anywhere.
    package static func isUsableName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    private static func key(from entry: Any) throws(Setting.Expectation) -> APIKey {
        guard let entry = entry as? [String: Any] else {
            throw Setting.Expectation("an object with name, hash and roles")
        }
        guard let name = entry["name"] as? String, isUsableName(name) else {
            throw Setting.Expectation("a name of 1 to 64 letters, digits, dots, dashes and underscores")
        }
        guard let text = entry["hash"] as? String, text.hasPrefix("sha256:"), let hash = bytes(ofHex: text.dropFirst(7))
        else { throw Setting.Expectation("a hash of \"sha256:\" and 64 hexadecimal digits") }
        guard let names = entry["roles"] as? [String], !names.isEmpty else {
            throw Setting.Expectation("at least one role")
        }
        let roles = names.compactMap(APIKey.Role.init(rawValue:))
        guard roles.count == names.count else {
            throw Setting.Expectation("roles among " + APIKey.Role.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard entry.count == 3 else { throw Setting.Expectation("only name, hash and roles") }
        return APIKey(name: name, hash: hash, roles: Set(roles))
    }

    private static func label(of entry: Any) -> String {
        guard let name = (entry as? [String: Any])?["name"] as? String, isUsableName(name) else { return "" }
        return " (\(name))"
    }

    private static func bytes(ofHex text: Substring) -> [UInt8]? {
        guard text.utf8.count == 64, text.allSatisfy(\.isHexDigit) else { return nil }
        return stride(from: 0, to: 64, by: 2).map { offset in
            let start = text.index(text.startIndex, offsetBy: offset)
            return UInt8(text[start..<text.index(start, offsetBy: 2)], radix: 16) ?? 0
        }
    }
}
