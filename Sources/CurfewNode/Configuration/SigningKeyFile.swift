// The file of signing keys, the same on every node:
//
//     {"keys":[{"kid":"20260131-9f3c2a1b","alg":"HS256","activeFrom":"2026-01-31T09:30:00Z","secret":"…"},
//              {"kid":"20260430-07d1e5b2","alg":"ES256","activeFrom":"2026-04-30T09:30:00Z","privateKey":"-----BEGIN PRIVATE KEY-----\n…"}]}
//
// Whatever is wrong in it, the error says in which entry, and never what a secret was.

import CurfewCore
import Foundation

/// The file's content.
package struct SigningKeyFile: Sendable, Equatable {
    package struct Entry: TakesTurns, Sendable, Equatable {
        /// `kid`.
        package var id: String
        package var algorithm: SigningAlgorithm
        /// In the file RFC 3339 text, or UNIX seconds; where it is missing, 1970.
        package var activeFrom: WallTime
        /// The secret (HS256), or the private key in PKCS #8 PEM.
        fileprivate var material: String
    }

    package var entries: [Entry]

    private static let maximumBytes = 256 * 1024

    /// Reads and checks a file that only its owner, and at most its group, can read.
    package static func load(path: String) throws(Setting.Expectation) -> SigningKeyFile {
        try SigningKeyFile(json: try SecretFile.text(path: path, maximumBytes: maximumBytes))
    }

    /// A file with one key.
    package init(entry: Entry) { entries = [entry] }

    package init(json: String) throws(Setting.Expectation) {
        guard let top = (try? JSONSerialization.jsonObject(with: Data(json.utf8))) as? [String: Any],
            let given = top["keys"] as? [Any], top.count == 1
        else { throw Setting.Expectation("a JSON object {\"keys\":[…]} and nothing else") }
        guard (1...KeyRing.maximumKeys).contains(given.count) else {
            throw Setting.Expectation("1 to \(KeyRing.maximumKeys) keys")
        }
        entries = []
        for (index, entry) in given.enumerated() {
            do throws(Setting.Expectation) {
                let entry = try Entry(entry)
                if entries.contains(where: { $0.id == entry.id }) { throw Setting.Expectation("a kid used once") }
                _ = try entry.key()
                entries.append(entry)
            } catch {
                throw Setting.Expectation("\(error.text) in entry \(index + 1)\(Self.label(of: entry))")
            }
        }
    }

    private static func label(of entry: Any) -> String {
        guard let id = (entry as? [String: Any])?["kid"] as? String, APIKeyFile.isUsableName(id) else { return "" }
        return " (\(id))"
    }

    /// As a node uses them.
    package func keys() throws(Setting.Expectation) -> [SigningKey] {
        try entries.map { entry throws(Setting.Expectation) in try entry.key() }
    }

    /// The file's text, a key a line.
    package var text: String {
        let lines = entries.map { entry in
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("kid", entry.id)
                writer.member("alg", entry.algorithm.rawValue)
                writer.member("activeFrom", entry.activeFrom.rfc3339)
                writer.member(entry.algorithm == .hs256 ? "secret" : "privateKey", entry.material)
            }
            return "  " + String(decoding: writer.bytes, as: UTF8.self)
        }
        return "{\"keys\":[\n" + lines.joined(separator: ",\n") + "\n]}\n"
    }
}

extension SigningKeyFile.Entry {
    /// A new key. `secret`: for HS256, which has no private key.
    package init(id: String, algorithm: SigningAlgorithm, activeFrom: WallTime, secret: String) {
        self.init(
            id: id, algorithm: algorithm, activeFrom: activeFrom, material: NewPrivateKey.pem(algorithm) ?? secret)
    }

    private static let expectedID = "a kid of 1 to 64 letters, digits, dots, dashes and underscores"

    fileprivate init(_ entry: Any) throws(Setting.Expectation) {
        guard let entry = entry as? [String: Any] else {
            throw Setting.Expectation("an object with kid, alg, activeFrom, and secret or privateKey")
        }
        guard let id = entry["kid"] as? String, APIKeyFile.isUsableName(id) else {
            throw Setting.Expectation(Self.expectedID)
        }
        guard let name = entry["alg"] as? String, let algorithm = SigningAlgorithm(rawValue: name) else {
            throw Setting.Expectation("an alg of " + SigningAlgorithm.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let member = algorithm == .hs256 ? "secret" : "privateKey"
        guard let material = entry[member] as? String else {
            throw Setting.Expectation("a \(member) for \(algorithm.rawValue)")
        }
        guard entry.keys.allSatisfy(["kid", "alg", "activeFrom", member].contains) else {
            throw Setting.Expectation("only kid, alg, activeFrom and \(member)")
        }
        self.init(id: id, algorithm: algorithm, activeFrom: try Self.time(entry["activeFrom"]), material: material)
    }

    private static func time(_ value: Any?) throws(Setting.Expectation) -> WallTime {
        switch value {
        case nil: return WallTime(seconds: 0)
        case let text as String:
            if let time = WallTime(rfc3339: text) { return time }
        case let number as Int64:
            if (0...253_402_300_799).contains(number) { return WallTime(seconds: number) }
        default: break
        }
        throw Setting.Expectation("an activeFrom such as \"2026-01-31T09:30:00Z\", or in UNIX seconds")
    }

    fileprivate func key() throws(Setting.Expectation) -> SigningKey {
        do throws(SigningKeyError) {
            return algorithm == .hs256
                ? try SigningKey(id: id, secret: Array(material.utf8), activeFrom: activeFrom)
                : try SigningKey(id: id, privateKey: material, algorithm: algorithm, activeFrom: activeFrom)
        } catch {
            switch error {
            case .secretTooShort:
                throw Setting.Expectation("a secret of at least \(SigningKey.minimumSecretBytes) bytes")
            case .idMalformed:
                throw Setting.Expectation(Self.expectedID)
            case .privateKeyUnreadable:
                throw Setting.Expectation("a privateKey in PKCS #8 PEM without a passphrase (BEGIN PRIVATE KEY)")
            case .privateKeyOfOtherAlgorithm:
                throw Setting.Expectation(
                    "a privateKey of " + (algorithm == .eddsa ? "Ed25519" : "P-256") + " for \(algorithm.rawValue)")
            }
        }
    }
}

extension SigningKeyFile {
    /// Takes out the keys that nothing living can be signed with: of which a younger one has been active for as long as a session
    /// can last, and an hour for clocks that differ. Returns their ids.
    package mutating func prune(at now: WallTime, longestSession: Duration) -> [String] {
        let latest = now.seconds - longestSession.components.seconds - 3600
        let successors = entries.filter { $0.activeFrom.seconds <= latest }.map(\.activeFrom)
        guard let last = successors.max() else { return [] }
        let pruned = entries.filter { $0.activeFrom < last }
        entries.removeAll { $0.activeFrom < last }
        return pruned.map(\.id)
    }
}
