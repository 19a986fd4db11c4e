// `curfew revoke`: ends sessions, by exactly one target.

import ArgumentParser
import Foundation

struct RevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "End sessions: one, a user's, a device's, a tenant's or everyone's.",
        discussion: ExitStatus.help)

    @Option(help: "End this session.") var session: String?
    @Option(help: "End this token's session; - reads it from standard input.") var token: String?
    @Option(help: "End every session of this user.") var user: String?
    @Option(help: "With --user: all but this session.") var exceptSession: String?
    @Option(help: "With --user: only those of this device.") var device: String?
    @Option(help: "End every session of this tenant.") var tenant: String?
    @Flag(help: "End every session there is.") var everyone = false
    @OptionGroup var change: ChangeFlags
    @OptionGroup(title: "Node") var client: ClientOptions

    func validate() throws {
        let targets = [session, token, user, tenant].count { $0 != nil } + (everyone ? 1 : 0)
        guard targets == 1 else {
            throw ValidationError("Exactly one of --session, --token, --user, --tenant and --everyone is needed")
        }
        guard user != nil || (exceptSession == nil && device == nil) else {
            throw ValidationError("--except-session and --device go with --user")
        }
        guard exceptSession == nil || device == nil else {
            throw ValidationError("--except-session and --device can't be combined")
        }
    }

    func run() async throws {
        let answer = try await client.client().call(.post, "/v1/revoke", json: try request())
        try Changed.tell(answer, asJSON: client.json) { changed, table in
            table.add("revoked", changed.revoked.map { "\($0)" } ?? "not counted")
        }
    }

    private func request() throws -> [String: any Encodable] {
        var request = change.members
        let texts = [
            "sessionId": session, "token": try token.map(Terminal.token), "userId": user,
            "exceptSessionId": exceptSession,
            "deviceId": device, "tenantId": tenant,
        ]
        for case (let name, let text?) in texts { request[name] = text }
        if everyone { request["everyone"] = true }
        return request
    }
}
