// The application that the demo's page belongs to: what an application's backend does with Curfew. It logs a person in on two
// devices, each at a node of its own, and decides what they may do. The API key stays here.
//
// So do the devices' tokens, where a real page has a cookie: two devices in one browser would share the cookie, browsers send
// it to every port of the host, and EventSource can't send a header. What a page can do is to use these two sessions.

import Foundation

/// One device of the page, and the node that it talks to.
struct DemoPane: Sendable {
    /// In paths, and the session's device.
    let id: String
    let node: String
    let publicURL: String
    let adminURL: String

    /// The nodes' URLs, first to last. With one node, both talk to it.
    static func panes(of cluster: DevCluster) -> [DemoPane] {
        ["phone", "laptop"].enumerated().map { index, id in
            let node = min(index, cluster.nodes.count - 1)
            return DemoPane(
                id: id, node: "node\(node + 1)", publicURL: cluster.publicURL(node), adminURL: cluster.adminURL(node))
        }
    }
}

actor DemoApplication {
    static let user = "u_demo"
    /// How long a call to a node may take.
    static let timeout = Duration.seconds(5)

    private let apiKey: String
    private var tokens: [String: String] = [:]
    private var signingIn: [String: Task<Void, any Error>] = [:]
    private var mayWrite = false

    init(apiKey: String) { self.apiKey = apiKey }

    /// The device's token, if it was ever signed in.
    func token(of pane: DemoPane) -> String? { tokens[pane.id] }

    /// Signs the device in, unless it is; once, however many pages ask for it at the same time.
    func signIn(_ pane: DemoPane) async throws {
        if let underway = signingIn[pane.id] { return try await underway.value }
        let task = Task { try await openSession(pane) }
        signingIn[pane.id] = task
        defer { signingIn[pane.id] = nil }
        try await task.value
    }

    /// From read to write and back, on every device of the user.
    func changePermissions(through pane: DemoPane) async throws {
        let next = !mayWrite
        _ = try await AdminClient(base: pane.adminURL, apiKey: apiKey).call(
            .put, "/v1/users/\(Self.user)/permissions", json: ["permissions": Self.permissions(next)],
            timeout: Self.timeout)
        mayWrite = next
    }

    private func openSession(_ pane: DemoPane) async throws {
        if let token = tokens[pane.id], try await isActive(token, pane) { return }
        let body: [String: any Encodable] = [
            "userId": Self.user, "deviceId": pane.id, "permissions": Self.permissions(mayWrite),
        ]
        let answer = try await AdminClient(base: pane.adminURL, apiKey: apiKey)
            .call(.post, "/v1/issue", json: body, timeout: Self.timeout)
        tokens[pane.id] = try answer.decoded(as: Issued.self).token
    }

    /// Throws where the node can't tell.
    private func isActive(_ token: String, _ pane: DemoPane) async throws -> Bool {
        let answer = try await AdminClient(base: pane.publicURL, apiKey: nil)
            .send(.get, "/v1/validate", bearer: token, timeout: Self.timeout)
        if answer.status == 200 || answer.status == 401 { return answer.status == 200 }
        throw CommandFailure(.unavailable, "\(pane.node) answered \(answer.status)")
    }

    private static func permissions(_ mayWrite: Bool) -> [String] {
        mayWrite ? ["docs:read", "docs:write"] : ["docs:read"]
    }
}
