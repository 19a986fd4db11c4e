// The audit log of the whole cluster at any node: everything that happened, once, from whatever moment on, whatever Redis and the
// nodes go through meanwhile; and no more of it in Redis than was said.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.serialized, .cluster()) struct AuditTrail {
        private func open(
            _ node: NodeProcess, _ query: String = "", lastID: String? = nil
        ) throws -> EventSource {
            let fields = [("Authorization", "Bearer \(node.settings.apiKey)")]
            return try EventSource(
                port: node.settings.adminPort, path: "/v1/audit" + query,
                fields: fields + (lastID.map { [("Last-Event-ID", $0)] } ?? []))
        }

        /// The next entries of these users, as `event user`.
        private func entries(_ source: EventSource, _ count: Int, of users: [String]) async throws -> [String] {
            var found: [String] = []
            while found.count < count {
                let entry = try await source.nextEntry().data
                guard let user = entry["userId"].string, users.contains(user) else { continue }
                found.append("\(entry["event"].string ?? "none") \(user)")
            }
            return found
        }

        @Test("tells at each node what every node did, as it is done, and from Last-Event-ID on what was missed")
        func everywhere() async throws {
            let cluster = try await SharedCluster.ready()
            let users = cluster.nodes.map { _ in ClusterHarness.newUser() }
            let readers = try cluster.nodes.map { try open($0) }
            for reader in readers {
                let head = try await reader.head()
                #expect(head.status == 200 && head.header("content-type") == "text/event-stream")
            }
            for (node, user) in zip(cluster.nodes, users) { _ = try await node.api.issue(user) }
            // At the node of the login: what other nodes did may be written before it.
            for (node, user) in zip(cluster.nodes, users) {
                _ = try await node.api.revoke(["userId": .string(user)], .cluster)
            }
            let expected = users.flatMap { ["session.created \($0)", "session.terminated \($0)"] }.sorted()
            for reader in readers {
                #expect(try await entries(reader, expected.count, of: users).sorted() == expected)
            }
            // The last id of the first entry of all: the rest comes again, at another node, and nothing else does.
            let again = try open(cluster.nodes[1], "?userId=\(users[0])&since=2020-01-01T00:00:00Z")
            let created = try await again.nextEntry()
            #expect(created.data["event"] == "session.created" && created.data["userId"] == .string(users[0]))
            let id = try #require(created.id)
            let rest = try open(cluster.nodes[2], "?userId=\(users[0])", lastID: id)
            #expect(try await rest.nextEntry().data["event"] == "session.terminated")
            for reader in readers + [again, rest] { reader.close() }
        }

        @Test("takes filters by user, session and event, and says what is no such thing")
        func filters() async throws {
            let cluster = try await SharedCluster.ready()
            let (api, user) = (cluster.nodes[0].api, ClusterHarness.newUser())
            let (first, second) = (try await api.issue(user), try await api.issue(user))
            _ = try await api.revoke(["sessionId": .string(first.id)])
            let since = "?since=2020-01-01T00:00:00Z&"
            let wanted = [
                "sessionId=\(second.id)": "session.created",
                "sessionId=\(first.id)&event=session.terminated": "session.terminated",
                "userId=\(user)&event=session.terminated": nil,
            ]
            for (query, event) in wanted {
                guard let event else { continue }
                let reader = try open(cluster.nodes[1], since + query)
                #expect(try await reader.nextEntry().data["event"] == .string(event), "\(query)")
                reader.close()
            }
            for (query, code) in [
                ("?since=yesterday", "value_out_of_range"), ("?event=session.born", "value_out_of_range"),
                ("?until=2020-01-01T00:00:00Z", "unknown_field"),
            ] {
                let answer = try await api.call("GET", "/v1/audit\(query)")
                #expect(answer.status == 400 && answer.code == code, "\(query) \(answer.status)")
            }
            let bad = try await api.call("GET", "/v1/audit", headers: [("Last-Event-ID", "7; FLUSHALL")])
            #expect(bad.status == 400)
        }

        @Test("what is written twice is told once; what is not an entry ends no reader")
        func twice() async throws {
            let cluster = try await SharedCluster.ready()
            let reader = try open(cluster.nodes[0])
            _ = try await reader.head()
            let key = "\(cluster.namespace):{0}:audit"
            let user = ClusterHarness.newUser()
            func add(_ number: Int, _ node: String = "other") throws {
                try cluster.redis.call([
                    "XADD", key, "*", "n", node, "i", "\(number)", "j",
                    "{\"event\":\"session.created\",\"userId\":\"\(user)\",\"reason\":\"\(number)\"}",
                ])
            }
            for number in [1, 2, 1, 2, 3, 3, 2, 4] { try add(number) }
            try add(1, "third")
            try cluster.redis.call(["XADD", key, "*", "x", "y"])
            // Nor does what is no text.
            try cluster.redis.call([
                "EVAL", "return redis.call('XADD', KEYS[1], '*', 'n', '\\255', 'j', '{}')", "1", key,
            ])
            // Whoever can write to Redis can say what it likes, but no line of its own.
            try cluster.redis.call(["XADD", key, "*", "n", "liar", "i", "1", "j", "{}\n\ndata: {}"])
            try add(5)
            var told: [String] = []
            while told.count < 6 {
                let entry = try await reader.nextEntry().data
                if entry["userId"] == .string(user) { told.append(entry["reason"].string ?? "") }
            }
            #expect(told == ["1", "2", "3", "4", "1", "5"])
            reader.close()
        }

        @Test("keeps about as many as it was told")
        func bounded() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 1, arguments: ["--audit-stream", "100"])) { cluster in
                let (api, key) = (cluster.nodes[0].api, "\(cluster.namespace):{0}:audit")
                for _ in 0..<400 { _ = try await api.issue(ClusterHarness.newUser()) }
                let last = ClusterHarness.newUser()
                _ = try await api.issue(last)
                try await eventually("the last one is there") {
                    try cluster.redis.call(["XREVRANGE", key, "+", "-", "COUNT", "1"]).contains(last)
                }
                // Redis trims whole blocks, of 100 entries.
                let length = try #require(Int(try cluster.redis.call(["XLEN", key])))
                #expect((100...200).contains(length), "\(length)")
            }
        }

        @Test("has room for 64 readers at a node; one more is told so, and one that goes leaves its place")
        func readers() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 1)) { cluster in
                let node = cluster.nodes[0]
                // An answer that is never begun holds no place.
                for _ in 0..<70 {
                    #expect(try await node.api.call("HEAD", "/v1/audit").status == 200)
                }
                var readers = try (0..<64).map { _ in try open(node) }
                for reader in readers { #expect(try await reader.head().status == 200) }
                let refused = try await node.api.call("GET", "/v1/audit")
                #expect(refused.status == 503 && refused.code == "overloaded")
                readers.removeLast().close()
                // Its end is seen when something is to be told.
                try await eventually(deadline: .seconds(30), "there is a place again") {
                    _ = try await node.api.issue(ClusterHarness.newUser())
                    let reader = try open(node)
                    defer { reader.close() }
                    return try await reader.head().status == 200
                }
                for reader in readers { reader.close() }
            }
        }

        @Test("a key that is taken out of its file hears nothing any more")
        func takenOut() async throws {
            let directory = try makePrivateDirectory()
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let file = directory + "/api-keys.json"
            func makeKey(_ name: String) throws -> String {
                let (process, pipe) = (Process(), Pipe())
                process.executableURL = URL(fileURLWithPath: NodeProcess.executable)
                process.arguments = ["keys", "api", "--name", name, "--roles", "read", "--file", file, "--replace"]
                process.standardOutput = pipe
                try process.run()
                let output = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                return String(decoding: output, as: UTF8.self).trimmingCharacters(in: .newlines)
            }
            let key = try makeKey("reader")
            try await ClusterHarness.run(ClusterOptions(nodes: 1, arguments: ["--api-keys", file])) { cluster in
                let node = cluster.nodes[0]
                let reader = try EventSource(
                    port: node.settings.adminPort, path: "/v1/audit", fields: [("Authorization", "Bearer \(key)")])
                #expect(try await reader.head().status == 200)
                _ = try makeKey("reader")
                #expect(try await reader.hasEnded())
            }
        }

        @Test("what happens while Redis is away is there once it is back")
        func away() async throws {
            let options = ClusterOptions(nodes: 2, arguments: ["--on-stale", "grace:10m"])
            try await ClusterHarness.run(options) { cluster in
                let node = cluster.nodes[0]
                var sessions: [TestSession] = []
                for _ in 0..<100 {
                    let issued = try await node.api.call(
                        "POST", "/v1/issue", body: ["userId": "u_away", "fingerprint": "mine"])
                    sessions.append(try #require(TestSession(issued.json)))
                }
                let reader = try open(cluster.nodes[1], "?event=session.suspicious")
                _ = try await reader.head()
                try await cluster.proxies[0].set(.blackhole)
                for session in sessions {
                    let answer = try await node.api.call(
                        "GET", "/v1/validate", on: .public,
                        headers: [("Authorization", "Bearer \(session.token)"), ("Curfew-Fingerprint", "other")])
                    #expect(answer.status == 403)
                }
                try await cluster.proxies[0].set(.forward)
                for _ in sessions {
                    let entry = try await reader.nextEntry().data
                    #expect(entry["signal"] == "fingerprint_mismatch" && entry["userId"] == "u_away")
                }
                reader.close()
            }
        }

        @Test("curfew watch goes on where it was when its node was gone, and ends at once where it may not read")
        func watch() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 2)) { cluster in
                let (node, user) = (cluster.nodes[0], ClusterHarness.newUser())
                let directory = try makePrivateDirectory()
                defer { try? FileManager.default.removeItem(atPath: directory) }
                let address = ["--url", "http://127.0.0.1:\(node.settings.adminPort)"]
                func watch(_ arguments: [String], key: String, _ name: String) throws -> SpawnedProcess {
                    try SpawnedProcess(
                        NodeProcess.executable, ["watch", "--api-key", key] + address + arguments,
                        environment: ["PATH": "/usr/bin"], logPath: "\(directory)/\(name).log")
                }
                func said(_ name: String) throws -> [String] {
                    try String(contentsOfFile: "\(directory)/\(name).log", encoding: .utf8).split(separator: "\n").map(
                        String.init)
                }
                let stranger = try watch([], key: "none", "stranger")
                try await eventually("who has no key is told so") { stranger.status() == .code(1) }
                let watching = try watch(["--user", user], key: node.settings.apiKey, "watching")
                defer { watching.killAndWait() }
                try await eventually("a login is shown") {
                    _ = try await cluster.nodes[1].api.issue(user)
                    return try said("watching").contains {
                        $0.contains("session.created") && $0.contains("userId=\(user)")
                    }
                }
                let early = try watch(
                    ["--user", user, "--event", "session.terminated"], key: node.settings.apiKey, "early")
                defer { early.killAndWait() }
                // Connected, and nothing to show yet.
                try await eventually("it is connected") { try said("early").contains { $0.contains("watching") } }
                node.kill()
                let before = try said("watching").count { $0.contains("session.created") }
                for _ in 0..<5 { _ = try await cluster.nodes[1].api.issue(user) }
                try node.start()
                try await node.ready()
                _ = try await cluster.nodes[1].api.revoke(["userId": .string(user)], .cluster)
                try await eventually("what was missed is shown, and what came since") {
                    try said("watching").contains { $0.contains("session.terminated") }
                }
                #expect(try said("watching").count { $0.contains("session.created") } >= before + 5)
                try await eventually("who had nothing to show has missed nothing") {
                    try said("early").contains { $0.contains("session.terminated") }
                }
                let shown = try said("watching").filter { $0.contains("session.created") }
                #expect(Set(shown).count == shown.count)
            }
        }
    }
}
