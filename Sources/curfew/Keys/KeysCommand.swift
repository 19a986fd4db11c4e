// `curfew keys`, and of it `api`: a new key for the admin listener. The key is printed once; the file only ever has its hash.

import ArgumentParser
import CurfewNode
import Foundation

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make keys: for signing tokens, and for the admin listener.",
        subcommands: [GenerateKeysCommand.self, RotateKeysCommand.self, ListKeysCommand.self, APIKeyCommand.self])
}

struct APIKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api", abstract: "Make a key for the admin listener and print it, once.",
        discussion: """
            Its SHA-256 and its roles go into a file of mode 0600, for "curfew serve --api-keys FILE". Roles: read \
            validates and lists; issue issues; revoke revokes and changes permissions; admin may do everything.

            \(ExitStatus.help)
            """)

    @Option(help: "Who will use it; letters, digits, dots, dashes and underscores.") var name: String
    @Option(help: "Comma-separated: read, issue, revoke, admin.") var roles: String
    @Option(help: "The file; made where it is missing (default: api-keys.json).") var file = "api-keys.json"
    @Flag(help: "Give an existing name a new key; the old one ends.") var replace = false

    func run() throws {
        try PrivateFile.alone(with: file) { try add() }
    }

    private func add() throws {
        let key = Secret.apiKey()
        do {
            guard APIKeyFile.isUsableName(name) else {
                throw CommandFailure(
                    .usage, "--name: expected 1 to 64 letters, digits, dots, dashes and underscores")
            }
            var content = FileManager.default.fileExists(atPath: file) ? try APIKeyFile.load(path: file) : APIKeyFile()
            if let index = content.keys.firstIndex(where: { $0.name == name }) {
                guard replace else {
                    throw CommandFailure(
                        .usage, "--name: \"\(name)\" is in \(file) already; --replace gives it a new key")
                }
                content.keys.remove(at: index)
            }
            content.keys.append(try APIKey(name: name, key: key, roles: try parsedRoles()))
            try PrivateFile.write(content.text, to: file)
        } catch let error as Setting.Expectation {
            throw CommandFailure(.usage, "--file: \(file), expected \(error.text)")
        }
        Terminal.say(key)
    }

    private func parsedRoles() throws(CommandFailure) -> Set<APIKey.Role> {
        let names = roles.split(separator: ",", omittingEmptySubsequences: false)
        let parsed = names.compactMap { APIKey.Role(rawValue: $0.trimmingCharacters(in: .whitespaces)) }
        guard parsed.count == names.count else {
            throw CommandFailure(.usage, "--roles: \"\(roles)\", expected read, issue, revoke, admin")
        }
        return Set(parsed)
    }
}
