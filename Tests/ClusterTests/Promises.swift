// What the suites say again and again: a session is valid or refused everywhere, a cluster is as it should be at rest.

import TestSupport
import Testing

extension ClusterHarness {
    /// A user that no other test knows.
    static func newUser() -> String { "u_\(UInt64.random(in: .min ... .max))" }

    /// Waits until a fenced revoke of each node counts all nodes: everybody is known to everybody.
    func settle() async throws {
        for node in nodes {
            try await eventually("\(node.name) counts \(nodes.count) nodes in a fence") {
                let answer = try await node.api.revoke(["userId": .string(Self.newUser())], .cluster)
                let propagation = answer.json["propagation"]
                return propagation["state"] == "acknowledged" && propagation["nodes"].int == self.nodes.count
            }
        }
    }
}

/// Nodes that stand for one cluster, whatever Redis is behind them.
protocol NodeGroup {
    var nodes: [NodeProcess] { get }
}

extension ClusterHarness: NodeGroup {}
extension RedisClusterHarness: NodeGroup {}
extension SentinelCluster: NodeGroup {}

extension NodeGroup {
    /// Waits until every node of the start answers 200 to each of these.
    func expectActive(_ sessions: [TestSession], _ comment: Comment? = nil) async throws {
        for node in nodes {
            for session in sessions {
                try await eventually("\(node.name) says active to \(session.user)") {
                    try await node.api.validate(session.token).status == 200
                }
            }
        }
    }

    /// Waits until every node of the start answers 401 `session_revoked` to each of these.
    func expectRevoked(_ sessions: [TestSession]) async throws {
        for node in nodes {
            for session in sessions {
                try await eventually("\(node.name) refuses the session of \(session.user)") {
                    let answer = try await node.api.validate(session.token)
                    return answer.status == 401 && answer.code == "session_revoked"
                }
            }
        }
    }

    /// Every node of the start refuses each of these now, without a second try.
    func expectRevokedNow(_ sessions: [TestSession], location: SourceLocation = #_sourceLocation) async throws {
        for node in nodes {
            for session in sessions {
                let answer = try await node.api.validate(session.token)
                #expect(answer.status == 401, "\(node.name)", sourceLocation: location)
                #expect(answer.code == "session_revoked", "\(node.name)", sourceLocation: location)
            }
        }
    }

    /// What the samples of a valid token may be while something is wrong: active, or 503 for want of freshness; never
    /// refused (I6), never left without an answer.
    func expectNeverRefused(_ samples: [Sample], of token: String, location: SourceLocation = #_sourceLocation) {
        let tally = samples.filter { $0.token == token }.tally
        #expect(
            Set(tally.keys).isSubset(of: ["200", "503 revocation_state_stale"]), "\(tally)", sourceLocation: location)
    }

    /// A revoked token was refused at every moment after `moment`: not active, and not 503 either.
    func expectAlwaysRevoked(
        _ samples: [Sample], of token: String, after moment: Int64, location: SourceLocation = #_sourceLocation
    ) {
        let tally = samples.filter { $0.token == token && $0.began > moment }.tally
        #expect(Set(tally.keys) == ["401 session_revoked"], "\(tally)", sourceLocation: location)
    }
}

extension Hammer {
    /// Hammers these nodes.
    convenience init(_ nodes: [NodeProcess], _ sessions: [TestSession]) {
        self.init(ports: nodes.map(\.settings.publicPort), tokens: sessions.map(\.token))
    }

    /// Waits until the thread of each of these nodes (all, unless said) has had `count` answers to requests that began
    /// from now on.
    func sees(_ count: Int, from nodes: [Int]? = nil) async throws {
        let moment = BootClock.now
        try await eventually("\(count) more answers from each node") {
            (nodes ?? Array(0..<self.nodeCount)).allSatisfy { self.count(node: $0, since: moment) >= count }
        }
    }
}

/// Revokes, and insists on 200.
@discardableResult
func revoke(
    _ target: [String: JSON], on node: NodeProcess, _ options: RevokeOptions = .none,
    location: SourceLocation = #_sourceLocation
) async throws -> JSON {
    let answer = try await node.api.revoke(target, options)
    try #require(answer.status == 200, "\(answer.everything)", sourceLocation: location)
    return answer.json
}

/// A node's metrics, by name and labels; each of them stands there once.
func scrape(_ node: NodeProcess) async throws -> [String: Double] {
    let answer = try await node.api.call("GET", "/metrics")
    #expect(answer.status == 200, "\(answer.everything)")
    #expect(answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8")
    var values: [String: Double] = [:]
    for line in String(decoding: answer.body, as: UTF8.self).split(separator: "\n") where line.first != "#" {
        let parts = line.split(separator: " ")
        #expect(parts.count == 2 && values[String(parts[0])] == nil, "\(line)")
        values[String(parts[0])] = parts.last.flatMap { Double($0.replacing("Inf", with: "inf")) }
    }
    return values
}
