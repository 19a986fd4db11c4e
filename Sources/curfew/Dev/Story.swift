// The story that `curfew dev --story` plays on real HTTP: a login on one node is valid on the others, a revoke on the
// third is obeyed by all, and how long each step took. Every step checks what it got; one that is wrong ends the
// command.

import Foundation

struct Story: Sendable {
    let cluster: DevCluster

    /// Prints a line a step. Throws exit code 70 where a node answers otherwise than the story has it.
    func play() async throws {
        let last = min(2, cluster.nodes.count - 1)
        let middle = min(1, last)
        try await openConnections()
        Terminal.say("")
        let token = try await issue(on: 0)
        for node in Set([middle, last]).sorted() { try await expectActive(token, on: node) }
        try await revoke(on: last)
        for node in Set([0, middle]).sorted() { try await expectRevoked(token, on: node) }
    }

    /// So that no step pays for a TCP handshake.
    private func openConnections() async throws {
        for node in cluster.nodes.indices {
            for url in [cluster.publicURL(node), cluster.adminURL(node)] {
                _ = try await AdminClient(base: url, apiKey: nil).send(.get, "/health/live")
            }
        }
    }

    private func issue(on node: Int) async throws -> String {
        let (answer, time) = try await timed {
            try await admin(node).call(
                .post, "/v1/issue", json: ["userId": "u_42", "deviceId": "phone", "permissions": ["docs:read"]])
        }
        let session = try answer.decoded(as: Issued.self)
        tell("u_42 logs in", node, "201  \(session.sessionId)", time)
        return session.token
    }

    private func expectActive(_ token: String, on node: Int) async throws {
        let (answer, time) = try await timed { try await validate(token, node) }
        guard answer.status == 200, try answer.decoded(as: Validated.self).active else {
            throw unexpected(node, "200 active", answer)
        }
        tell("is the token valid?", node, "200  active", time)
    }

    private func revoke(on node: Int) async throws {
        let (answer, time) = try await timed {
            try await admin(node).call(
                .post, "/v1/revoke", json: ["userId": "u_42", "reason": "security", "wait": "cluster"])
        }
        let revoked = try answer.decoded(as: Changed.self)
        guard answer.status == 200 else { throw unexpected(node, "200", answer) }
        tell("revoke u_42 everywhere", node, "200  \(revoked.propagation.sentence)", time)
    }

    private func expectRevoked(_ token: String, on node: Int) async throws {
        let (answer, time) = try await timed { try await validate(token, node) }
        guard answer.status == 401, answer.text.contains("session_revoked") else {
            throw unexpected(node, "401 session_revoked", answer)
        }
        tell("is the token valid?", node, "401  session_revoked", time)
    }

    private func validate(_ token: String, _ node: Int) async throws -> AdminClient.Answer {
        try await AdminClient(base: cluster.publicURL(node), apiKey: nil).send(.get, "/v1/validate", bearer: token)
    }

    private func admin(_ node: Int) -> AdminClient {
        AdminClient(base: cluster.adminURL(node), apiKey: cluster.apiKey)
    }

    private func timed<T>(_ body: () async throws -> T) async throws -> (T, Duration) {
        let start = ContinuousClock.now
        let value = try await body()
        return (value, ContinuousClock.now - start)
    }

    private func unexpected(_ node: Int, _ expected: String, _ answer: AdminClient.Answer) -> CommandFailure {
        CommandFailure(.internal, "node\(node + 1) answered \(answer.status) where the story has \(expected)")
    }

    private func tell(_ what: String, _ node: Int, _ result: String, _ time: Duration) {
        let milliseconds = Double(time.components.seconds) * 1000 + Double(time.components.attoseconds) / 1e15
        let mark = result.hasPrefix("4") ? Terminal.red("✗") : Terminal.green("✓")
        let columns = "node\(node + 1)  " + what.padding(toLength: 24, withPad: " ", startingAt: 0)
        let took = String(format: "%7.2f ms", milliseconds)
        let padded = result.padding(toLength: 48, withPad: " ", startingAt: 0)
        Terminal.say("  \(mark) \(columns)\(padded)\(Terminal.dim(took))")
    }
}
