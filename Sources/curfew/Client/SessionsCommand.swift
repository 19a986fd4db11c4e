// `curfew sessions`: where a user is signed in, or all that is known of one session.

import ArgumentParser
import Foundation

struct SessionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions", abstract: "Show a user's sessions, newest activity first, or one session.",
        discussion: ExitStatus.help)

    @Option(help: "Whose sessions.") var user: String?
    @Option(help: "One session, by its id.") var session: String?
    @Option(help: "With --user: how many at once, 1 to 200.") var limit = 50
    @Option(help: "With --user: the page after this one, as the page before says it.") var cursor: String?
    @OptionGroup(title: "Node") var client: ClientOptions

    func validate() throws {
        guard (user == nil) != (session == nil) else { throw ValidationError("Either --user or --session is needed") }
        guard session == nil || cursor == nil else { throw ValidationError("--cursor goes with --user") }
    }

    func run() async throws {
        if let session {
            let answer = try await client.client().call(.get, "/v1/sessions/\(AdminClient.escaped(session))")
            if client.json { return Terminal.say(answer.text) }
            return Terminal.say(Self.everything(of: try answer.decoded(as: Session.self)))
        }
        let path = "/v1/users/\(AdminClient.escaped(user ?? ""))/sessions?limit=\(limit)"
        let answer = try await client.client().call(
            .get, path + (cursor.map { "&cursor=\(AdminClient.escaped($0))" } ?? ""))
        if client.json { return Terminal.say(answer.text) }
        let page = try answer.decoded(as: Page.self)
        Terminal.say(Self.table(page.sessions))
        if let next = page.nextCursor { Terminal.complain("there are more: --cursor \(next)") }
    }

    private static func table(_ sessions: [Session]) -> String {
        var table = Table(headings: ["SESSION", "KIND", "DEVICE", "FROM", "LAST ACTIVE", "EXPIRES"])
        for session in sessions {
            table.add(
                session.sessionId, session.kind, Terminal.printable(session.deviceName),
                Terminal.printable(session.ipAddress ?? "-"), session.lastActiveAt, session.expiresAt)
        }
        return table.text
    }

    private static func everything(of session: Session) -> String {
        let texts: [(String, String?)] = [
            ("session", session.sessionId), ("user", session.userId), ("tenant", session.tenantId),
            ("kind", session.kind), ("device id", session.deviceId), ("device", session.device.name),
            ("platform", session.device.platform), ("address", session.ipAddress), ("location", session.location),
            ("user agent", session.userAgent), ("permissions", session.permissions.joined(separator: " ")),
            ("authenticated by", session.authMethods.joined(separator: " ")), ("created", session.createdAt),
            ("last active", session.lastActiveAt), ("expires", session.expiresAt),
        ]
        var table = Table()
        for case (let name, let text?) in texts where !text.isEmpty { table.add(name, Terminal.printable(text)) }
        return table.text
    }
}

private struct Page: Decodable {
    let sessions: [Session]
    let nextCursor: String?
}

/// A session of the inventory, as far as it is shown.
private struct Session: Decodable {
    struct Device: Decodable {
        let name: String?
        let platform: String?
    }

    let sessionId: String
    let userId: String
    let tenantId: String?
    let deviceId: String?
    let kind: String
    let device: Device
    let ipAddress: String?
    let location: String?
    let userAgent: String?
    let permissions: [String]
    let authMethods: [String]
    let createdAt: String
    let lastActiveAt: String
    let expiresAt: String

    var deviceName: String { device.name ?? deviceId ?? device.platform ?? "-" }
}
