// `curfew issue`: a session for a user, and its token.

import ArgumentParser
import Foundation

struct IssueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issue", abstract: "Issue a session and print its token.", discussion: ExitStatus.help)

    @Option(help: "Whose session it is; 1 to 128 bytes.") var user: String
    @Option(help: "The user's device, so that it can be revoked alone.") var device: String?
    @Option(help: "web, remember or api (default: web).") var kind: String?
    @Option(name: .customLong("permission"), help: "What the session may do; repeatable.")
    var permissions: [String] = []
    @Option(help: "The tenant, so that it can be revoked as a whole.") var tenant: String?
    @Option(help: "What the inventory shows as the device's name.") var deviceName: String?
    @Option(help: "What the inventory shows as the device's platform.") var devicePlatform: String?
    @Option(help: "The visitor's address, for the inventory.") var ipAddress: String?
    @Option(help: "The visitor's place, for the inventory.") var location: String?
    @Option(help: "The visitor's browser, for the inventory.") var userAgent: String?
    @Option(name: .customLong("auth-method"), help: "How the user was authenticated (RFC 8176); repeatable.")
    var authMethods: [String] = []
    @Option(help: "A JSON object that the session carries.") var attributes: String?
    @Flag(help: "Print the token and nothing else.") var onlyToken = false
    @OptionGroup(title: "Node") var client: ClientOptions

    func run() async throws {
        let answer = try await client.client().call(.post, "/v1/issue", json: try request())
        if client.json { return Terminal.say(answer.text) }
        let session = try answer.decoded(as: Issued.self)
        if onlyToken { return Terminal.say(session.token) }
        var table = Table()
        table.add("session", session.sessionId)
        table.add("user", session.userId)
        if let device = session.deviceId { table.add("device", device) }
        table.add("kind", session.kind)
        table.add("issued", session.issuedAt)
        table.add("expires", session.sessionExpiresAt)
        table.add("token", session.token)
        if let refresh = session.refreshToken { table.add("refresh", refresh) }
        Terminal.say(table.text)
    }

    private func request() throws -> [String: any Encodable] {
        var request: [String: any Encodable] = ["userId": user]
        let texts = [
            "deviceId": device, "kind": kind, "tenantId": tenant, "ipAddress": ipAddress, "location": location,
            "userAgent": userAgent,
        ]
        for case (let name, let text?) in texts { request[name] = text }
        if !permissions.isEmpty { request["permissions"] = permissions }
        if !authMethods.isEmpty { request["authMethods"] = authMethods }
        let description = ["name": deviceName, "platform": devicePlatform].compactMapValues { $0 }
        if !description.isEmpty { request["device"] = description }
        if let attributes {
            guard let object = JSONObject(attributes) else {
                throw CommandFailure(.usage, "--attributes: expected a JSON object such as '{\"plan\":\"pro\"}'")
            }
            request["attributes"] = object
        }
        return request
    }
}

/// The answer to issue, as far as it is shown.
struct Issued: Decodable {
    let sessionId: String
    let userId: String
    let deviceId: String?
    let kind: String
    let token: String
    let refreshToken: String?
    let issuedAt: String
    let sessionExpiresAt: String
}
