// Clients that are many, slow or deaf, and the others that must not notice: idle connections up to the bound and past it,
// heads and bodies that never end, answers that nobody reads. In short here; CURFEW_OVERLOAD_CONNECTIONS=10000 for the whole
// of it, where the limit of open files allows that.

import Foundation
import TestSupport
import Testing

/// Also the most that a listener has.
private let connections =
    ProcessInfo.processInfo.environment["CURFEW_OVERLOAD_CONNECTIONS"].flatMap { Int($0) } ?? 400
private let maximumCalls = 50

extension ClusterTests {
    @Suite(
        .cluster(
            ClusterOptions(
                nodes: 1, arguments: ["--max-calls", "\(maximumCalls)", "--max-connections", "\(connections)"])))
    struct SlowClients {
        @Test("as many idle connections as there may be stop nobody: the one that was idle longest goes")
        func idleConnections() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            var everybody: [Crowd] = []
            for listener in Listener.allCases {
                let used = try RawConnection(port: node.api.port(of: listener))
                let idle = await Crowd(port: node.api.port(of: listener), count: connections)
                #expect(idle.count == connections)
                try await expectServed(node, session)
                // Each newcomer ended one of the idle, and there are never more than may be.
                try await eventually("the listener has its bound of connections") {
                    idle.openCount() < connections
                }
                #expect(idle.openCount() > connections / 2)
                _ = used
                everybody.append(idle)
            }
            // Both listeners' at once.
            try await expectServed(node, session)
            #expect(everybody.map { $0.openCount() }.reduce(0, +) > 3 * connections / 2)
        }

        @Test("heads and bodies that never end stop nobody, and hold no place among the calls")
        func slowloris() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let half = connections / 2
            let heads = await Crowd(port: node.settings.publicPort, count: half)
            heads.say(Array("GET /v1/validate HTTP/1.1\r\nHost: a\r\nX: ".utf8))
            let bodies = await Crowd(port: node.settings.adminPort, count: half)
            bodies.say(adminPost("/v1/issue", "{", key: node.settings.apiKey, length: 5_000))
            #expect(half > maximumCalls)
            for _ in 0..<3 {
                heads.say(Array("x".utf8))
                bodies.say(Array(" ".utf8))
                try await expectServed(node, session)
            }
        }

        @Test("slow heads that fill the listener make room for who says something whole")
        func slowlorisAtTheBound() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            for listener in Listener.allCases {
                let slow = await Crowd(port: node.api.port(of: listener), count: connections)
                slow.say(Array("GET /health/live HTTP/1.1\r\nHost: a\r\nX: ".utf8))
                slow.say(Array("x".utf8))
                try await expectServed(node, session)
            }
        }

        @Test("clients that never read their answers stop nobody, and are not answered without end")
        func deaf() async throws {
            let node = try await SharedCluster.ready().nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            let deaf = await Crowd(port: node.settings.publicPort, count: 4)
            let validate = "GET /v1/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(session.token)\r\n\r\n"
            let requests = Array(String(repeating: validate, count: 100).utf8)
            // What the two sockets hold between them is all that can be said: then the node reads no further.
            var turnsWithoutProgress = 0
            try await eventually(deadline: .seconds(60), "the node has stopped reading") {
                turnsWithoutProgress = deaf.say(requests) == 0 ? turnsWithoutProgress + 1 : 0
                return turnsWithoutProgress == 50
            }
            let before = try #require(node.residentBytes)
            try await expectServed(node, session)
            #expect(deaf.say(requests) == 0)
            #expect(try #require(node.residentBytes) <= before + 16 * 1024 * 1024)
            #expect(deaf.openCount() == deaf.count, "none of them was ended: they are waited for")
        }

        /// Calls of every kind, each on a connection of its own.
        private func expectServed(_ node: NodeProcess, _ session: TestSession) async throws {
            #expect(try await node.api.validate(session.token).status == 200)
            #expect(try await node.api.validate(session.token, strict: true).status == 200)
            _ = try await node.api.issue(ClusterHarness.newUser())
            let user = JSON.string(ClusterHarness.newUser())
            #expect(try await node.api.revoke(["userId": user], .cluster).status == 200)
            for listener in Listener.allCases {
                #expect(try await node.api.call("GET", "/health/live", on: listener).status == 200)
            }
        }
    }
}
