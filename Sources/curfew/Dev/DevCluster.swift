// The processes of `curfew dev`: a Redis, unless one was given, and the nodes. Started in this order, ended in the
// other one.

import Foundation

struct DevCluster: Sendable {
    /// What every node is told, beside its addresses. Secrets travel as environment: arguments can be read by anybody.
    struct Settings: Sendable {
        var nodes: Int
        var firstPort: Int
        var demoPort: Int
        var redis: String?
        var environment: [String: String]

        /// Then `dev` makes up a secret.
        var lacksSigningKey: Bool {
            ["CURFEW_SIGNING_SECRET", "CURFEW_SIGNING_SECRET_FILE", "CURFEW_SIGNING_KEYS"]
                .allSatisfy { environment[$0] == nil }
        }

        /// Public and admin, node by node.
        var ports: [Int] { Array(firstPort..<firstPort + 2 * nodes) }
        func flags(of node: Int) -> [String: String] {
            [
                "listen": "127.0.0.1:\(firstPort + 2 * node)",
                "admin-listen": "127.0.0.1:\(firstPort + 2 * node + 1)",
            ]
        }
    }

    let redis: PrivateRedis?
    let redisURL: String
    let apiKey: String
    let nodes: [ChildProcess]
    private let settings: Settings

    /// Starts everything; what did start is ended again where something doesn't.
    static func start(_ settings: Settings, program: String) async throws -> DevCluster {
        var environment = settings.environment
        let apiKey = environment["CURFEW_API_KEY"] ?? Secret.apiKey()
        environment["CURFEW_API_KEY"] = apiKey
        if settings.lacksSigningKey { environment["CURFEW_SIGNING_SECRET"] = Secret.random() }
        let redis = settings.redis == nil ? try await PrivateRedis.start() : nil
        let url = settings.redis ?? redis?.socketURL ?? ""
        environment["CURFEW_REDIS"] = url
        // One terminal for all nodes: who wants to see it there says so.
        environment["CURFEW_AUDIT_LOG"] = environment["CURFEW_AUDIT_LOG"] ?? "off"
        var nodes: [ChildProcess] = []
        do {
            for index in 0..<settings.nodes {
                let name = "node\(index + 1)"
                let flags = settings.flags(of: index).sorted { $0.key > $1.key }.flatMap { ["--\($0.key)", $0.value] }
                nodes.append(
                    try ChildProcess(
                        name: name, program: program, arguments: ["serve", "--stop-when-input-ends"] + flags,
                        environment: environment, prefix: Prefix.text(for: name, index: index)))
            }
        } catch {
            await end(nodes, redis)
            throw error
        }
        return DevCluster(
            redis: redis, redisURL: redis?.url ?? url, apiKey: apiKey, nodes: nodes, settings: settings)
    }

    func publicURL(_ node: Int) -> String { "http://127.0.0.1:\(settings.firstPort + 2 * node)" }
    func adminURL(_ node: Int) -> String { "http://127.0.0.1:\(settings.firstPort + 2 * node + 1)" }

    var demoPort: Int { settings.demoPort }
    var demoURL: String { "http://127.0.0.1:\(demoPort)/demo" }

    var file: DevFile {
        DevFile(
            redis: redisURL, apiKey: apiKey, demo: demoURL,
            nodes: nodes.indices.map { .init(public: publicURL($0), admin: adminURL($0), pid: nodes[$0].pid) })
    }

    /// Until every node's `/health/ready` is 200. Throws when a node ends instead, or `limit` has passed.
    func waitUntilReady(within limit: Duration) async throws {
        let deadline = ContinuousClock.now + limit
        for index in nodes.indices {
            let client = AdminClient(base: publicURL(index), apiKey: nil)
            while true {
                if let dead = nodes.first(where: { !$0.isRunning }) { throw Self.failure(of: dead, dead.ending) }
                let answer = try? await client.send(.get, "/health/ready", timeout: .seconds(2))
                if answer?.status == 200 { break }
                guard ContinuousClock.now < deadline else {
                    let detail = answer.map { "answered \($0.status)" } ?? "did not answer"
                    throw Self.failure(of: nodes[index], "is not ready after \(limit.components.seconds) s, \(detail)")
                }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// SIGTERM to the nodes, 6 s for them to leave, then their Redis.
    func stop() async { await Self.end(nodes, redis) }

    private static func end(_ nodes: [ChildProcess], _ redis: PrivateRedis?) async {
        nodes.forEach { $0.terminate() }
        let deadline = ContinuousClock.now + .seconds(6)
        for node in nodes { await node.end(by: deadline) }
        await redis?.stop()
    }

    /// A wrong setting is the node's own line, with its exit code.
    private static func failure(of node: ChildProcess, _ what: String) -> CommandFailure {
        let status = node.isRunning ? ExitStatus.unavailable : ExitStatus(rawValue: node.exitCode) ?? .internal
        let lines = node.lastLines
        let own = lines.last { $0.hasPrefix("curfew: ") }.map { String($0.dropFirst("curfew: ".count)) }
        let said = own ?? lines.suffix(3).joined(separator: " | ")
        return CommandFailure(status == .done ? .internal : status, "\(node.name) \(what): \(said)")
    }
}
