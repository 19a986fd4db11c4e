// Signing keys from one to the next on a running cluster: no good token is refused, nothing is signed with a key that is not everywhere,
// and what a key that was taken out has signed is over.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct KeyRotation {
        /// A file of keys that every node has, written by the command.
        private struct KeyFile {
            let path: String

            init(_ directory: String, algorithm: String) throws {
                path = directory + "/signing-keys.json"
                try run(["generate", "--algorithm", algorithm])
            }

            func run(_ arguments: [String]) throws {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: NodeProcess.executable)
                process.arguments = ["keys"] + arguments + ["--file", path]
                process.standardOutput = FileHandle.nullDevice
                process.standardError = FileHandle.nullDevice
                try process.run()
                process.waitUntilExit()
                guard process.terminationStatus == 0 else { throw NodeEnded(description: "keys \(arguments) failed") }
            }

            /// The entries' ids, in the order of the file.
            func ids() throws -> [String] {
                let text = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
                return try #require(JSON(text))["keys"].array.compactMap { $0["kid"].string }
            }

            /// Takes the first key out.
            func dropFirst() throws {
                let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
                let left = lines.dropFirst(2)
                try (["{\"keys\":["] + left).joined(separator: "\n").write(
                    toFile: path + ".new", atomically: false, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path + ".new")
                guard rename(path + ".new", path) == 0 else { throw NodeEnded(description: "rename failed") }
            }
        }

        private func withCluster(
            _ algorithm: String, _ body: (ClusterHarness, KeyFile) async throws -> Void
        ) async throws {
            let directory = try makePrivateDirectory()
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let file = try KeyFile(directory, algorithm: algorithm)
            let options = ClusterOptions(
                arguments: ["--signing-keys", file.path], environment: ["CURFEW_SIGNING_SECRET": nil])
            try await ClusterHarness.run(options) { try await body($0, file) }
        }

        private func keyID(of token: String) -> String? {
            guard let header = token.split(separator: ".").first, let bytes = Base64URL.decode(header) else {
                return nil
            }
            return JSON(bytes)?["kid"].string
        }

        /// Until every node has read as many keys.
        private func known(_ ids: [String], _ cluster: ClusterHarness) async throws {
            for node in cluster.nodes {
                try await eventually("\(node.name) has read \(ids)") {
                    node.log.split(separator: "\n").last { $0.contains("signing keys read again") }
                        .map { line in ids.allSatisfy { line.contains($0) } } == true
                }
            }
        }

        private func reads(_ node: NodeProcess) -> Int {
            node.log.split(separator: "\n").count { $0.contains("signing keys read again") }
        }

        @Test("a session's fingerprint goes on when the key that it was logged in with is taken out")
        func fingerprint() async throws {
            try await withCluster("HS256") { cluster, file in
                let nodes = cluster.nodes
                let body: JSON = ["userId": .string(ClusterHarness.newUser()), "kind": "api", "fingerprint": "mine"]
                let issued = try await nodes[0].api.call("POST", "/v1/issue", body: body)
                try file.run(["rotate", "--after", "0s"])
                try await known(try file.ids(), cluster)
                func refresh(_ answer: HTTPAnswer, on node: NodeProcess) async throws -> HTTPAnswer {
                    let token = try #require(answer.json["refreshToken"].string)
                    return try await node.api.call(
                        "POST", "/v1/refresh", on: .public, body: ["refreshToken": .string(token)],
                        headers: [("Curfew-Fingerprint", "mine")])
                }
                let refreshed = try await refresh(issued, on: nodes[1])
                let token = try #require(refreshed.json["token"].string)
                try file.dropFirst()
                for node in nodes {
                    try await eventually("\(node.name) has one key") {
                        let answer = try await node.api.call(
                            "GET", "/v1/validate", on: .public,
                            headers: [
                                ("Authorization", "Bearer \(issued.json["token"].string ?? "")")
                            ])
                        return answer.code == "token_signature_invalid"
                    }
                    for (fingerprint, status) in [("mine", 200), ("another device", 403)] {
                        let headers = [("Authorization", "Bearer \(token)"), ("Curfew-Fingerprint", fingerprint)]
                        let answer = try await node.api.call("GET", "/v1/validate", on: .public, headers: headers)
                        #expect(answer.status == status, "\(answer.everything)")
                    }
                }
                #expect(try await refresh(refreshed, on: nodes[2]).status == 200)
            }
        }

        @Test(
            "under load on three nodes, through every algorithm: not one good token is refused, and every session is renewed",
            .timeLimit(.minutes(3)))
        func underLoad() async throws {
            try await withCluster("HS256") { cluster, file in
                let user = ClusterHarness.newUser()
                var sessions = [try await cluster.nodes[0].api.issue(user)]
                let hammer = Hammer(ports: cluster.publicPorts, tokens: sessions.map(\.token))
                var signedBy: [String?] = []
                for algorithm in ["EdDSA", "ES256", "HS256"] {
                    try file.run(["rotate", "--algorithm", algorithm, "--after", "4s"])
                    let ids = try file.ids()
                    // Before it counts: everywhere known, nowhere used.
                    try await known(ids, cluster)
                    let newest = try #require(ids.last)
                    try await eventually("\(newest) signs on every node") {
                        var turned = 0
                        for node in cluster.nodes {
                            let session = try await node.api.issue(user)
                            sessions.append(session)
                            hammer.aim(at: sessions.map(\.token))
                            signedBy.append(keyID(of: session.token))
                            if keyID(of: session.token) == newest { turned += 1 }
                        }
                        return turned == cluster.nodes.count
                    }
                }
                try await eventually("every token was seen everywhere") {
                    let samples = hammer.samples
                    return sessions.allSatisfy { session in
                        (0..<3).allSatisfy { node in samples.contains { $0.token == session.token && $0.node == node } }
                    }
                }
                let samples = await hammer.stop()
                #expect(samples.count > 100)
                #expect(samples.filter { !$0.isActive }.isEmpty)
                #expect(Set(signedBy.compactMap(\.self)) == Set(try file.ids()))
                // What an older key signed is renewed by the youngest, cookies and their cross-site tokens, too.
                let first = sessions[0]
                let renewed = try await cluster.nodes[1].api.call(
                    "POST", "/v1/refresh", on: .public,
                    headers: [
                        ("Cookie", "__Host-curfew=\(first.token)"), ("X-CSRF-Token", first.crossSiteToken ?? "none"),
                    ])
                #expect(renewed.status == 200)
                let cookie = try #require(renewed.header("set-cookie")).dropFirst("__Host-curfew=".count)
                #expect(try keyID(of: String(cookie)) == file.ids().last)
            }
        }

        @Test("refresh tokens and repeated calls go on over a rotation")
        func derivedKeys() async throws {
            try await withCluster("HS256") { cluster, file in
                let api = cluster.nodes[0].api
                let body: JSON = ["userId": .string(ClusterHarness.newUser()), "kind": "api"]
                let headers = [("Idempotency-Key", "once")]
                let issued = try await api.call("POST", "/v1/issue", body: body, headers: headers)
                let refreshToken = try #require(issued.json["refreshToken"].string)
                try file.run(["rotate", "--algorithm", "ES256", "--after", "0s"])
                try await known(try file.ids(), cluster)
                for node in cluster.nodes {
                    let again = try await node.api.call("POST", "/v1/issue", body: body, headers: headers)
                    #expect(again.status == 201 && again.json == issued.json)
                }
                let other = try await api.call("POST", "/v1/issue", body: ["userId": "other"], headers: headers)
                #expect(other.status == 409)
                var token = refreshToken
                for node in cluster.nodes {
                    let refreshed = try await node.api.call(
                        "POST", "/v1/refresh", on: .public, body: ["refreshToken": .string(token)])
                    #expect(refreshed.status == 200)
                    #expect(try keyID(of: #require(refreshed.json["token"].string)) == file.ids().last)
                    token = try #require(refreshed.json["refreshToken"].string)
                }
            }
        }

        @Test(
            "what a key that was taken out has signed is refused on every node; a file that can't be used changes nothing"
        )
        func takenOut() async throws {
            try await withCluster("EdDSA") { cluster, file in
                let old = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                try file.run(["rotate", "--after", "0s"])
                let ids = try file.ids()
                try await known(ids, cluster)
                let new = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([old, new])
                let keys = try await cluster.nodes[2].api.call("GET", "/.well-known/jwks.json", on: .public)
                #expect(keys.status == 200 && keys.header("cache-control") == "public, max-age=300")
                #expect(keys.json["keys"].array.compactMap { $0["kid"].string }.sorted() == ids.sorted())
                #expect(keys.json["keys"].array.allSatisfy { $0["crv"] == "Ed25519" && $0["d"] == .null })
                // Too open for a secret: said, and not taken.
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
                for node in cluster.nodes { node.hangUp() }
                for node in cluster.nodes {
                    try await eventually("\(node.name) says why") {
                        node.log.contains("signing keys not read again, those of before stay")
                    }
                }
                try await cluster.expectActive([old, new])
                // Its mode is right again, its content as it was.
                let before = cluster.nodes.map { node in reads(node) }
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
                for (node, count) in zip(cluster.nodes, before) {
                    try await eventually("\(node.name) has read it again") { reads(node) > count }
                }
                let screen = try EventSource(
                    port: cluster.nodes[0].settings.publicPort, path: "/v1/events",
                    fields: [("Authorization", "Bearer \(old.token)")])
                _ = try await screen.nextID()
                try file.dropFirst()
                for node in cluster.nodes {
                    try await eventually("\(node.name) refuses what the old key signed") {
                        try await node.api.validate(old.token).code == "token_signature_invalid"
                    }
                }
                try await cluster.expectActive([new])
                // Nor is its bearer told anything any more.
                _ = try await cluster.nodes[1].api.call(
                    "PUT", "/v1/users/\(old.user)/permissions", body: ["permissions": ["secret"], "wait": "cluster"])
                #expect(try await screen.hasEnded())
            }
        }

        @Test("SIGHUP reads the files at once, and ends no node, not even one without a file")
        func hangUp() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 1)) { cluster in
                let node = cluster.nodes[0]
                for _ in 0..<3 { node.hangUp() }
                let session = try await node.api.issue(ClusterHarness.newUser())
                try await cluster.expectActive([session])
                #expect(node.exit == nil)
            }
        }
    }
}
