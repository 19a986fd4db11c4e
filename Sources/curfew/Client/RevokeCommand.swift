// `curfew revoke`: ends sessions, by exactly one target.

import ArgumentParser
import CurfewNode
import Foundation

struct RevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "End sessions: one, a user's, a device's, a tenant's or everyone's.",
        discussion: ExitStatus.help)

    @Option(help: "End this session.") var session: String?
    @Option(help: "End this token's session.") var token: String?
    @Option(help: "End every session of this user.") var user: String?
    @Option(help: "With --user: all but this session.") var exceptSession: String?
    @Option(help: "With --user: only those of this device.") var device: String?
    @Option(help: "End every session of this tenant.") var tenant: String?
    @Flag(help: "End every session there is.") var everyone = false
    @Option(help: "logout, admin, security, password_changed, or free text of at most 64 bytes (default: admin).")
    var reason: String?
    @Option(help: "none, or cluster: answer once every node refuses them (default: none).") var wait: String?
    @Option(help: "How long to wait at most, such as 2s.") var timeout: String?
    @Option(help: "primary, or replica: answer once a replica has it (default: primary).") var durability: String?
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
        guard timeout == nil || Self.milliseconds(timeout) != nil else {
            throw ValidationError("--timeout takes a duration such as 500ms or 2s")
        }
    }

    func run() async throws {
        let answer = try await client.client().call(.post, "/v1/revoke", json: request())
        let revoked = try answer.decoded(as: Revoked.self)
        Terminal.say(client.json ? answer.text : Self.table(revoked))
        if answer.status == 202 {
            throw CommandFailure(.unavailable, "written, but not known to be everywhere yet (pending)")
        }
    }

    private func request() -> [String: any Encodable] {
        var request: [String: any Encodable] = [:]
        let texts = [
            "sessionId": session, "token": token, "userId": user, "exceptSessionId": exceptSession,
            "deviceId": device, "tenantId": tenant, "reason": reason, "wait": wait, "durability": durability,
        ]
        for case (let name, let text?) in texts { request[name] = text }
        if everyone { request["everyone"] = true }
        if let milliseconds = Self.milliseconds(timeout) { request["timeoutMs"] = milliseconds }
        return request
    }

    private static func milliseconds(_ text: String?) -> Int64? {
        text.flatMap { Duration(setting: $0) }?.wholeMilliseconds
    }

    private static func table(_ revoked: Revoked) -> String {
        var table = Table()
        table.add("revoked", revoked.revoked.map { "\($0)" } ?? "not counted")
        table.add("propagation", revoked.propagation.sentence)
        table.add("fence", revoked.fence)
        return table.text
    }
}

/// The answer to revoke.
struct Revoked: Decodable {
    struct Propagation: Decodable {
        let state: String
        let nodes: Int
        let acknowledged: Int
        let elapsedMs: Double

        /// `acknowledged by 3 of 3 nodes in 0.9 ms`, or `fenced in 1020.1 ms, acknowledged by 2 of 3 nodes`.
        var sentence: String {
            let time = String(format: "in %.1f ms", elapsedMs)
            let count = "\(acknowledged) of \(nodes) nodes"
            if nodes == 0 { return "\(state) \(time)" }
            return state == "acknowledged"
                ? "\(state) by \(count) \(time)" : "\(state) \(time), acknowledged by \(count)"
        }
    }
    let revoked: Int?
    let fence: String
    let propagation: Propagation
}
