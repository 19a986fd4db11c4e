// A session's details, changed from any node: merged as RFC 7396 says, and never over somebody else's change that was not seen.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct SessionPatches {
        private func patch(
            _ session: TestSession, _ body: String, on node: NodeProcess, ifMatch: String? = nil,
            type: String = "application/merge-patch+json"
        ) async throws -> HTTPAnswer {
            let fields = ifMatch.map { [("If-Match", $0)] } ?? []
            return try await node.api.call(
                "PATCH", "/v1/sessions/\(session.id)", text: body, headers: fields, type: type)
        }

        private func login(_ cluster: ClusterHarness) async throws -> TestSession {
            let body: JSON = [
                "userId": .string(ClusterHarness.newUser()), "device": ["name": "Pixel", "platform": "android"],
                "attributes": ["plan": "pro", "theme": ["dark": true, "size": 3]],
            ]
            let answer = try await cluster.nodes[0].api.call("POST", "/v1/issue", body: body)
            return try #require(TestSession(answer.json))
        }

        @Test("merges what is given, takes away what is null, leaves the rest, and says so on every node")
        func merges() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster)
            let first = try await patch(
                session, #"{"device":{"name":"Anna's phone"},"attributes":{"theme":{"size":null,"font":"x"},"a":[1]}}"#,
                on: cluster.nodes[1])
            #expect(first.status == 200, "\(first.everything)")
            #expect(first.header("etag") == "\"1\"")
            #expect(first.json["device"] == ["name": "Anna's phone", "platform": "android"])
            #expect(first.json["attributes"] == ["plan": "pro", "theme": ["dark": true, "font": "x"], "a": [1]])
            let read = try await cluster.nodes[2].api.call("GET", "/v1/sessions/\(session.id)")
            #expect(read.header("etag") == "\"1\"" && read.json["attributes"] == first.json["attributes"])
            let second = try await patch(
                session, #"{"device":null,"attributes":null}"#, on: cluster.nodes[2], type: "application/json")
            #expect(second.json["device"] == ["name": .null, "platform": .null])
            #expect(second.json["attributes"] == .null && second.header("etag") == "\"2\"")
            #expect(try await patch(session, "{}", on: cluster.nodes[0]).header("etag") == "\"3\"")
            try await cluster.expectActive([session])
        }

        @Test("with If-Match nobody's change is lost: one of many wins, the others are told")
        func optimistic() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster)
            let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                for index in 0..<12 {
                    group.addTask {
                        try await patch(
                            session, #"{"attributes":{"n\#(index)":1}}"#, on: cluster.nodes[index % 3], ifMatch: "\"0\""
                        )
                    }
                }
                return try await group.reduce(into: [HTTPAnswer]()) { $0.append($1) }
            }
            #expect(answers.filter { $0.status == 200 }.count == 1)
            #expect(answers.filter { $0.status == 412 && $0.code == "precondition_failed" }.count == 11)
            for (tag, status) in [
                ("*", 200), ("\"7\", \"2\"", 200), ("W/\"3\"", 412), ("\"x\"", 412), ("\"03\"", 412), ("3", 400),
                ("", 400),
            ] {
                #expect(try await patch(session, "{}", on: cluster.nodes[0], ifMatch: tag).status == status, "\(tag)")
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<6 {
                    group.addTask {
                        let answer = try await patch(
                            session, #"{"attributes":{"m\#(index)":1}}"#, on: cluster.nodes[index % 3])
                        #expect(answer.status == 200, "\(answer.everything)")
                    }
                }
                try await group.waitForAll()
            }
            let attributes = try await cluster.nodes[0].api.call("GET", "/v1/sessions/\(session.id)").json["attributes"]
            for index in 0..<6 { #expect(attributes["m\(index)"] == 1) }
        }

        @Test("changes nothing of a session that ended, and brings none back")
        func ended() async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster)
            try await revoke(["sessionId": .string(session.id)], on: cluster.nodes[1], .cluster)
            #expect(try await patch(session, "{}", on: cluster.nodes[0]).status == 404)
            #expect(try await cluster.nodes[2].api.validate(session.token).code == "session_revoked")
        }

        @Test(
            "bad input",
            arguments: [
                #"{"userId":"u"}"#, #"{"device":"x"}"#, #"{"device":{"name":1}}"#, #"{"device":{"colour":"red"}}"#,
                #"{"attributes":[]}"#, #"{"attributes":"x"}"#, "[]", "{", "",
            ])
        func badInput(body: String) async throws {
            let cluster = try await SharedCluster.ready()
            let session = try await login(cluster)
            #expect(try await patch(session, body, on: cluster.nodes[0]).status == 400)
            let large = #"{"attributes":{"x":""# + String(repeating: "a", count: 4_090) + #""}}"#
            #expect(try await patch(session, large, on: cluster.nodes[0]).code == "value_out_of_range")
            #expect(try await patch(session, "{}", on: cluster.nodes[0], type: "text/plain").status == 415)
            let path = "/v1/sessions/ses_nobody"
            #expect(try await cluster.nodes[0].api.call("PATCH", path, body: [:]).status == 404)
        }
    }
}
