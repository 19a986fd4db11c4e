// The commands that ask a node, against real ones: what they show, their exit codes, and what names that clients gave themselves do
// to a terminal.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct CommandLine {
        private struct Said {
            let code: Int32
            let output: String
            let complaint: String
        }

        private func curfew(
            _ arguments: [String], at node: NodeProcess, key: String? = nil, url: String? = nil, input: String = ""
        ) throws -> Said {
            let process = Process()
            let (output, complaint, given) = (Pipe(), Pipe(), Pipe())
            process.executableURL = URL(fileURLWithPath: NodeProcess.executable)
            process.arguments = arguments + ["--url", url ?? "http://127.0.0.1:\(node.settings.adminPort)"]
            process.environment = ["PATH": "/usr/bin", "CURFEW_API_KEY": key ?? node.settings.apiKey]
            (process.standardOutput, process.standardError) = (output, complaint)
            process.standardInput = given
            try process.run()
            try given.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try given.fileHandleForWriting.close()
            let said = output.fileHandleForReading.readDataToEndOfFile()
            let complained = complaint.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return Said(
                code: process.terminationStatus, output: String(decoding: said, as: UTF8.self),
                complaint: String(decoding: complained, as: UTF8.self))
        }

        @Test("sessions shows pages and one session, and no name steers the terminal")
        func sessions() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 1)) { cluster in
                let (node, user) = (cluster.nodes[0], ClusterHarness.newUser() + "/ü")
                var ids: [String] = []
                for name in ["plain", "\u{202E}txt.exe", "third"] {
                    let answer = try await node.api.call(
                        "POST", "/v1/issue",
                        body: [
                            "userId": .string(user), "device": ["name": .string(name)], "permissions": ["docs:read"],
                        ])
                    ids.append(try #require(answer.json["sessionId"].string))
                }
                let first = try curfew(["sessions", "--user", user, "--limit", "2"], at: node)
                #expect(first.code == 0 && first.output.split(separator: "\n").count == 3)
                let cursor = try #require(first.complaint.split(separator: "--cursor ").last)
                let second = try curfew(
                    ["sessions", "--user", user, "--cursor", cursor.trimmingCharacters(in: .newlines)], at: node)
                #expect(second.code == 0 && second.complaint.isEmpty)
                let shown = first.output + second.output
                #expect(ids.allSatisfy { shown.contains($0) } && shown.contains("plain"))
                #expect(!shown.contains("\u{202E}") && shown.contains("\u{FFFD}txt.exe"))
                let one = try curfew(["sessions", "--session", ids[0]], at: node)
                #expect(one.code == 0 && one.output.contains("docs:read") && one.output.contains(user))
                let json = try curfew(["sessions", "--session", ids[0], "--json"], at: node)
                #expect(JSON(Array(json.output.utf8))?["sessionId"].string == ids[0])
                let none = try curfew(["sessions", "--session", "ses_none"], at: node)
                #expect(none.code == 1 && none.complaint.hasPrefix("curfew: not_found"))
                for wrong in [[], ["--user", "u", "--session", "s"], ["--session", "s", "--cursor", "c"]] {
                    #expect(try curfew(["sessions"] + wrong, at: node).code == 64)
                }
                #expect(try curfew(["sessions", "--user", user, "--limit", "0"], at: node).code == 64)
            }
        }

        @Test("permissions are in force when it returns; without any it wants to be told so")
        func permissions() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 2)) { cluster in
                let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser(), permissions: ["old"])
                for (arguments, expected) in [
                    (["--permission", "docs:read", "--permission", "pay"], ["docs:read", "pay"]), (["--none"], []),
                ] {
                    let said = try curfew(
                        ["permissions", "--user", session.user, "--wait", "cluster"] + arguments, at: cluster.nodes[1])
                    #expect(said.code == 0 && said.output.contains("acknowledged by 2 of 2 nodes"), "\(said)")
                    for node in cluster.nodes {
                        let validated = try await node.api.validate(session.token).json
                        #expect(validated["permissions"].array.compactMap(\.string) == expected)
                    }
                }
                #expect(try curfew(["permissions", "--user", session.user], at: cluster.nodes[0]).code == 64)
                let both = ["permissions", "--user", session.user, "--none", "--permission", "a"]
                #expect(try curfew(both, at: cluster.nodes[0]).code == 64)
                let late = try curfew(
                    ["permissions", "--user", session.user, "--none", "--timeout", "soon"], at: cluster.nodes[0])
                #expect(late.code == 64 && late.complaint.contains("--timeout takes a duration"))
            }
        }

        @Test("health says by its exit code whether a node is ready, without a key, at either listener")
        func health() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 1)) { cluster in
                let node = cluster.nodes[0]
                let ready = try curfew(["health"], at: node, key: "none")
                #expect(ready.code == 0 && ready.output.hasPrefix("ready"), "\(ready)")
                try await cluster.proxies[0].set(.blackhole)
                try await eventually("it is not ready any more") { try curfew(["health"], at: node).code == 69 }
                let stale = try curfew(["health"], at: node)
                #expect(stale.complaint.contains("revocation_state_stale"))
                #expect(try curfew(["health", "--live"], at: node).output == "live\n")
                node.kill()
                #expect(try curfew(["health", "--live"], at: node).code == 69)
                // Nor is something else ready that answers there.
                let other = try curfew(["health"], at: node, url: "http://127.0.0.1:\(cluster.redis.port)")
                #expect(other.code == 69)
            }
        }

        @Test("revoke reads a token from standard input, where no process list shows it")
        func tokenFromInput() async throws {
            try await ClusterHarness.run(ClusterOptions(nodes: 1)) { cluster in
                let session = try await cluster.nodes[0].api.issue(ClusterHarness.newUser())
                let said = try curfew(["revoke", "--token", "-"], at: cluster.nodes[0], input: session.token + "\n")
                #expect(said.code == 0 && said.output.contains("revoked"), "\(said)")
                try await cluster.expectRevoked([session])
                #expect(try curfew(["revoke", "--token", "-"], at: cluster.nodes[0]).code == 64)
            }
        }
    }
}
