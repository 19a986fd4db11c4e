// `curfew validate`: whether a token is active, and whose it is. Exit code 1 where it is not.

import ArgumentParser
import Foundation

struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Say whether a token is active, and whose it is.",
        discussion: ExitStatus.help)

    @Argument(help: "The token, or - to read it from standard input, where no process list shows it.")
    var token: String
    @OptionGroup(title: "Node") var client: ClientOptions

    func run() async throws {
        let text = try Terminal.token(token)
        let answer = try await client.client().call(.post, "/v1/validate", json: ["token": text])
        let session = try answer.decoded(as: Validated.self)
        if client.json {
            Terminal.say(answer.text)
        } else {
            Terminal.say(session.active ? Self.table(session) : "not active  \(session.code ?? "")")
        }
        if !session.active { throw CommandFailure(.refused) }
    }

    private static func table(_ session: Validated) -> String {
        var table = Table()
        table.add("active", "yes")
        table.add("session", session.sessionId ?? "")
        table.add("user", Terminal.printable(session.userId ?? ""))
        if let device = session.deviceId { table.add("device", Terminal.printable(device)) }
        table.add("kind", session.kind ?? "")
        if let permissions = session.permissions, !permissions.isEmpty {
            table.add("permissions", permissions.joined(separator: ", "))
        }
        table.add("expires", session.expiresAt ?? "")
        if let age = session.ageMs { table.add("age", "\(age) ms") }
        return table.text
    }
}

/// The answer to validate; all but `active` is missing where it is false.
struct Validated: Decodable {
    let active: Bool
    let code: String?
    let sessionId: String?
    let userId: String?
    let deviceId: String?
    let kind: String?
    let permissions: [String]?
    let expiresAt: String?
    let ageMs: Int64?
}
