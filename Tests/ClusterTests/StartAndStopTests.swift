// A node that stops in good order answers what is in flight, leaves the membership and exits with 0; one that can't keep
// its promises under the given settings doesn't start at all, and says in one line which setting it is.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct GracefulStop {
        @Test("SIGTERM answers what is in flight, leaves the membership and exits with 0")
        func inFlight() async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let leaving = cluster.nodes[0]
            let session = try await leaving.api.issue(ClusterHarness.newUser())
            let before = try members(cluster)
            #expect(before.count >= 3)
            cluster.nodes[2].pause()
            defer { cluster.nodes[2].resume() }
            // Takes Δ and the margin, because of the stopped node.
            let seq = try heads(cluster)
            async let answer = leaving.api.revoke(["userId": .string(session.user)], .cluster)
            try await eventually("the revoke is in the log") { try heads(cluster) != seq }
            leaving.terminate()
            let revoked = try await answer
            #expect(revoked.status == 200)
            #expect(revoked.json["propagation"]["state"] == "fenced")
            #expect(try await leaving.ended(within: .seconds(5)) == .code(0))
            #expect(await !leaving.api.isReady())
            let after = try members(cluster)
            #expect(before.subtracting(after).count == 1)
            #expect(after.isSubset(of: before))
            cluster.nodes[2].resume()
            try leaving.start()
            try await cluster.ready()
            try await cluster.expectRevokedNow([session])
        }

        @Test("a node that left is not waited for", arguments: ClusterTests.rounds)
        func notWaitedFor(round: Int) async throws {
            let cluster = try await SharedCluster.ready()
            try await cluster.settle()
            let leaving = cluster.nodes[2]
            leaving.terminate()
            #expect(try await leaving.ended(within: .seconds(5)) == .code(0))
            let user = JSON.string(ClusterHarness.newUser())
            let answer = try await revoke(["userId": user], on: cluster.nodes[0], .cluster)
            #expect(answer["propagation"]["state"] == "acknowledged")
            #expect(answer["propagation"]["nodes"] == 2)
            try leaving.start()
            try await cluster.ready()
        }

        private func members(_ cluster: ClusterHarness) throws -> Set<String> {
            let lines = try (0..<cluster.options.partitions).map {
                try cluster.redis.call(["HKEYS", cluster.key("{\($0)}:nodes")])
            }
            return Set(lines.flatMap { $0.split(separator: "\n").map(String.init) })
        }

        private func heads(_ cluster: ClusterHarness) throws -> [String] {
            try (0..<cluster.options.partitions).map {
                try cluster.redis.call(["HGET", cluster.key("{\($0)}:head"), "seq"])
            }
        }
    }

    @Suite(.cluster()) struct StartRefusals {
        @Test(
            "a setting that can't be stops the start with one line that names it, and exit code 64",
            arguments: [
                (["--staleness-bound", "100ms"], "staleness-bound"),
                (["--staleness-bound", "soon"], "staleness-bound"),
                (["--partitions", "0"], "partitions"), (["--partitions", "1025"], "partitions"),
                (["--partitions", "8"], "partitions"), (["--listen", "nowhere"], "listen"),
                (["--redis", "http://127.0.0.1"], "redis"), (["--on-stale", "maybe"], "on-stale"),
                (["--log-level", "loud"], "log-level"), (["--colour", "red"], "colour"),
            ])
        func wrongSetting(arguments: [String], name: String) async throws {
            let cluster = try await SharedCluster.ready()
            try await expectRefused(
                cluster.makeNode("refused \(UInt32.random(in: 0...(.max)))") { settings in
                    settings.arguments = arguments
                }, naming: name)
        }

        @Test("a secret under 32 bytes stops the start, and is not shown")
        func shortSecret() async throws {
            let cluster = try await SharedCluster.ready()
            let node = try cluster.makeNode("short") { $0.secret = "thirty-one-bytes-are-not-enough" }
            try await expectRefused(node, naming: "signing-secret")
            #expect(!node.log.contains(node.settings.secret))
        }

        @Test("an admin listener off loopback without an API key stops the start")
        func openAdmin() async throws {
            let cluster = try await SharedCluster.ready()
            let node = try cluster.makeNode("open") { settings in
                settings.apiKey = ""
                settings.arguments = ["--admin-listen", "0.0.0.0:\(settings.adminPort)", "--allow-plaintext"]
            }
            try await expectRefused(node, naming: "api-key")
        }

        @Test(
            "a Redis that may evict the revocation list stops the start", arguments: ["allkeys-lru", "allkeys-random"])
        func evicting(policy: String) async throws {
            let cluster = try await SharedCluster.ready()
            try cluster.redis.call(["CONFIG", "SET", "maxmemory-policy", policy])
            defer { _ = try? cluster.redis.call(["CONFIG", "SET", "maxmemory-policy", "noeviction"]) }
            try await expectRefused(cluster.makeNode("evicting \(policy)"), naming: "maxmemory-policy")
        }

        private func expectRefused(
            _ node: NodeProcess, naming name: String, location: SourceLocation = #_sourceLocation
        ) async throws {
            try node.start()
            let exit = try await node.ended(within: .seconds(15))
            #expect(exit == .code(64), "\(node.log)", sourceLocation: location)
            let naming = node.log.split(separator: "\n").filter {
                $0.lowercased().replacing("_", with: "-").contains(name)
            }
            #expect(!naming.isEmpty, "\(node.log)", sourceLocation: location)
        }
    }
}
