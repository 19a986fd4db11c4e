// `curfew keys generate`, `rotate` and `list`: the file of signing keys. No secret is ever printed.

import ArgumentParser
import CurfewCore
import CurfewNode
import Foundation

/// What all three take.
struct SigningKeyOptions: ParsableArguments {
    @Option(help: "The file of signing keys.") var file: String

    func load() throws(CommandFailure) -> SigningKeyFile {
        do {
            return try SigningKeyFile.load(path: file)
        } catch {
            throw CommandFailure(.usage, "--file: \(file), expected \(error.text)")
        }
    }
}

extension SigningAlgorithm: ExpressibleByArgument {
    public init?(argument: String) {
        guard let algorithm = Self.allCases.first(where: { $0.rawValue.lowercased() == argument.lowercased() }) else {
            return nil
        }
        self = algorithm
    }
}

extension SigningKeyFile.Entry {
    /// Made now: its id tells the day.
    fileprivate static func new(_ algorithm: SigningAlgorithm, activeFrom: WallTime) -> SigningKeyFile.Entry {
        let day = WallTime.now.rfc3339.prefix(10).filter { $0 != "-" }
        let digits = String(UInt32.random(in: .min ... .max), radix: 16)
        let id = "\(day)-" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
        return SigningKeyFile.Entry(id: id, algorithm: algorithm, activeFrom: activeFrom, secret: Secret.random())
    }
}

extension WallTime {
    fileprivate static var now: WallTime { WallTime(seconds: Int64(Date().timeIntervalSince1970)) }
}

struct GenerateKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Make a file with a signing key, for \"curfew serve --signing-keys FILE\".",
        discussion: """
            Every node gets the same file, of mode 0600. HS256 signs with a secret, and only the nodes verify; EdDSA and \
            ES256 sign with a private key, and whoever reads /.well-known/jwks.json verifies, which costs the nodes \
            some hundred times more. Prints the key's id.

            --from-secret-file takes the secret that nodes have as --signing-secret: all that it signed stays good.

            \(ExitStatus.help)
            """)

    @OptionGroup var options: SigningKeyOptions
    @Option(help: "HS256, EdDSA or ES256.") var algorithm = SigningAlgorithm.hs256
    @Option(help: "File of a secret that is to be the first key, for HS256.") var fromSecretFile: String?

    func run() throws {
        try PrivateFile.alone(with: options.file) { try generate() }
    }

    private func generate() throws {
        guard !FileManager.default.fileExists(atPath: options.file) else {
            throw CommandFailure(
                .usage, "--file: \(options.file) exists already; \"curfew keys rotate\" gives it another key")
        }
        let entry = try entry()
        try PrivateFile.write(SigningKeyFile(entry: entry).text, to: options.file)
        Terminal.say(entry.id)
    }

    private func entry() throws(CommandFailure) -> SigningKeyFile.Entry {
        guard let path = fromSecretFile else { return .new(algorithm, activeFrom: .now) }
        guard algorithm == .hs256 else {
            throw CommandFailure(.usage, "--from-secret-file: a secret, expected --algorithm HS256 with it")
        }
        do throws(Setting.Expectation) {
            let secret = try SecretFile.load(path: path)
            guard secret.utf8.count >= SigningKey.minimumSecretBytes else {
                throw Setting.Expectation("at least \(SigningKey.minimumSecretBytes) bytes in it")
            }
            let id = SigningKey.derivedID(fromSecret: Array(secret.utf8))
            return SigningKeyFile.Entry(id: id, algorithm: .hs256, activeFrom: WallTime(seconds: 0), secret: secret)
        } catch {
            throw CommandFailure(.usage, "--from-secret-file: \(path), expected \(error.text)")
        }
    }
}

struct RotateKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Add a signing key that counts later.",
        discussion: """
            Until --after is over it only verifies: time to bring the file to every node, each of which reads it again \
            within a second, or on SIGHUP. Then it signs, and the one before only verifies. Keys that nothing living can be signed \
            with are taken out. Prints the new key's id.

            A key that leaked: rotate with --after 0s, take its entry out of the file, and bring the file to every node. \
            What it signed is refused from then on.

            \(ExitStatus.help)
            """)

    @OptionGroup var options: SigningKeyOptions
    @Option(help: "HS256, EdDSA or ES256 (default: that of the youngest key).") var algorithm: SigningAlgorithm?
    @Option(help: "When the new key begins to sign: a duration from now.") var after = "1h"
    @Option(
        help: ArgumentHelp(
            "The longest that a session can last on any node (its absolute lifetime): how long a key that signs no more is kept.",
            valueName: "duration"))
    var longestSession = "180d"

    func run() throws {
        try PrivateFile.alone(with: options.file) { try rotate() }
    }

    private func rotate() throws {
        var file = try options.load()
        let now = WallTime.now
        let wait = try duration(after, "--after", upTo: .seconds(365 * 86_400))
        let longest = try duration(longestSession, "--longest-session", upTo: .seconds(3650 * 86_400))
        let pruned = file.prune(at: now, longestSession: longest)
        guard file.entries.count < KeyRing.maximumKeys else {
            throw CommandFailure(
                .usage,
                "--file: \(options.file) has \(file.entries.count) keys that may still be needed, and no room for one more; "
                    + "rotate less often, or say a shorter --longest-session")
        }
        let entry = SigningKeyFile.Entry.new(
            algorithm ?? file.entries.youngestFirst[0].algorithm,
            activeFrom: WallTime(seconds: now.seconds + wait.components.seconds))
        file.entries.append(entry)
        try PrivateFile.write(file.text, to: options.file)
        for id in pruned { Terminal.complain("\(id) is taken out: nothing that it signed can still be good") }
        if wait < .seconds(2) {
            Terminal.complain("\(entry.id) signs at once: nodes that have not read it yet refuse what it signs")
        }
        Terminal.say(entry.id)
    }

    private func duration(_ text: String, _ name: String, upTo longest: Duration) throws(CommandFailure) -> Duration {
        guard let duration = Duration(setting: text), duration <= longest else {
            throw CommandFailure(
                .usage,
                "\(name): \"\(text)\", expected a duration such as 30m, 1h or 30d, at most \(longest.settingText)")
        }
        return duration
    }
}

struct ListKeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the signing keys of a file, without their secrets.",
        discussion: ExitStatus.help)

    @OptionGroup var options: SigningKeyOptions
    @Flag(help: "Print JSON.") var json = false

    private enum State: String, Encodable {
        case signing
        /// Will sign.
        case waiting
        /// Has signed.
        case verifying
    }

    private struct Shown: Encodable {
        let kid: String
        let alg: String
        let activeFrom: String
        let state: State
    }

    func run() throws {
        let file = try options.load()
        let now = WallTime.now
        let entries = file.entries.youngestFirst
        let signing = entries.signing(at: now)
        let keys = entries.map { entry in
            Shown(
                kid: entry.id, alg: entry.algorithm.rawValue, activeFrom: entry.activeFrom.rfc3339,
                state: entry.id == signing.id ? .signing : entry.activeFrom > now ? .waiting : .verifying)
        }
        guard !json else {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return Terminal.say(String(decoding: try encoder.encode(["keys": keys]), as: UTF8.self))
        }
        var table = Table(headings: ["KID", "ALG", "ACTIVE FROM", "STATE"])
        for key in keys { table.add(key.kid, key.alg, key.activeFrom, key.state.rawValue) }
        Terminal.say(table.text)
    }
}
