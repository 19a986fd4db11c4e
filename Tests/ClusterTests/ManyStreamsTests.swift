// Event streams by the thousand: as many as a node takes, all of them told of one logout, and no more than that. In short here;
// CURFEW_OVERLOAD_CONNECTIONS=10000 for as many as a node takes unless it is told otherwise.

import Foundation
import TestSupport
import Testing

private let maximumStreams =
    ProcessInfo.processInfo.environment["CURFEW_OVERLOAD_CONNECTIONS"].flatMap { Int($0) } ?? 200
private let streamsOfSession = 16

extension ClusterTests {
    @Suite(
        .cluster(
            ClusterOptions(
                nodes: 2,
                arguments: [
                    "--max-event-streams", "\(maximumStreams)", "--max-connections",
                    "\(maximumStreams + max(200, maximumStreams / 5))",
                ])))
    struct ManyStreams {
        @Test(
            "a node has as many streams as it may, and one logout of all reaches every one of them, from another node")
        func everybody() async throws {
            let cluster = try await SharedCluster.ready()
            let (node, other) = (cluster.nodes[0], cluster.nodes[1])
            let bystander = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
            try await cluster.expectActive([bystander])
            var crowds: [Crowd] = []
            var left = maximumStreams
            while left > 0 {
                let session = try await other.api.issue(ClusterHarness.newUser(), tenant: "crowded")
                try await eventually("the node serves the session") {
                    try await node.api.validate(session.token).status == 200
                }
                let crowd = await Crowd(port: node.settings.publicPort, count: min(left, streamsOfSession))
                crowd.say(Self.request(session))
                left -= crowd.count
                crowds.append(crowd)
            }
            try await eventually("every stream is open") { try await Self.streams(node) == maximumStreams }
            let answer = try await node.api.call(
                "GET", "/v1/events", on: .public, headers: [("Authorization", "Bearer \(bystander.token)")])
            #expect(answer.status == 503 && answer.code == "overloaded")

            try await revoke(["tenantId": "crowded", "reason": "moved out"], on: other, .cluster)
            try await eventually(deadline: .seconds(60), "no stream is left") { try await Self.streams(node) == 0 }
            for crowd in crowds {
                for text in try await crowd.untilEnded() {
                    #expect(text.contains("event: session.revoked\n") && text.contains("moved out"))
                }
            }
            #expect(try await node.api.validate(bystander.token).status == 200)
        }

        @Test("a session's seventeenth stream ends its first, and a quiet stream is written to all the same")
        func ofOneSession() async throws {
            let cluster = try await SharedCluster.ready()
            let node = cluster.nodes[0]
            let session = try await node.api.issue(ClusterHarness.newUser())
            func open() async throws -> EventSource {
                let stream = try EventSource(
                    port: node.settings.publicPort, path: "/v1/events",
                    fields: [("Authorization", "Bearer \(session.token)")])
                _ = try await stream.nextID()
                return stream
            }
            let first = try await open()
            let second = try await open()
            var others: [EventSource] = []
            for _ in 2..<streamsOfSession { others.append(try await open()) }
            // Without news, a comment: within fifteen seconds, and a line is waited for longer than that.
            _ = try await second.nextID(withinMilliseconds: 20_000)
            others.append(try await open())
            #expect(try await first.hasEnded())
            try await node.api.setPermissions(of: session.user, to: ["a"])
            for stream in others + [second] { #expect(try await stream.next().name == "permissions.changed") }
        }

        private static func request(_ session: TestSession) -> [UInt8] {
            Array("GET /v1/events HTTP/1.1\r\nHost: curfew\r\nAuthorization: Bearer \(session.token)\r\n\r\n".utf8)
        }

        private static func streams(_ node: NodeProcess) async throws -> Int? {
            // Ten thousand that end at once keep a node busy: a call may have to come again.
            let answer = try await node.api.call("GET", "/metrics", timeout: .seconds(30))
            let line = String(decoding: answer.body, as: UTF8.self).split(separator: "\n")
                .first { $0.hasPrefix("curfew_event_streams ") }
            return line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) }
        }
    }
}
