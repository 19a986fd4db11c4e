// Ten times the load that a node can serve. The node may work on sixteen calls at once and its way to Redis is slow, so that a
// hundred and sixty clients are ten times too many on any machine. Nothing here is measured against the machine's speed: what
// is accepted is held to the product's own deadlines, what is refused to coming while Redis says nothing at all.

import Foundation
import TestSupport
import Testing

private let maximumCalls = 16

extension ClusterTests {
    @Suite(
        .cluster(
            ClusterOptions(nodes: 1, arguments: ["--max-calls", "\(maximumCalls)", "--redis-timeout", "2s"])))
    struct Overload {
        static let crowd = 10 * maximumCalls
        static let redisTimeout = Duration.seconds(2)
        /// What a call may take: its turn comes within half of Redis' deadline or not at all, then Redis has its deadline.
        static let bound = redisTimeout / 2 + redisTimeout
        /// For a machine that gives the node no core.
        static let allowance = Duration.seconds(8)

        @Test("at ten times the load what is accepted is answered within its bound, and all else gets 503 overloaded")
        func boundedLatency() async throws {
            let (cluster, node) = try await overloadable()
            try await cluster.proxies[0].set(.delay(.milliseconds(40)))
            let crowd = await Crowd(port: node.settings.adminPort, count: Self.crowd)
            let answers = try await crowd.ask(issue(node), rounds: 20)
            // A connection whose request lost its place while its body came is ended behind its 503, with the rounds it had left.
            #expect(answers.count > 10 * Self.crowd)
            #expect(crowd.unansweredCount == 0)
            #expect(crowd.longestWait <= Self.bound + Self.allowance)
            let accepted = answers.filter { $0.status == 201 }
            #expect(accepted.count >= maximumCalls)
            #expect(accepted.allSatisfy { $0.elapsed <= Self.bound + Self.allowance })
            let others = answers.filter { $0.status != 201 }
            #expect(others.count >= Self.crowd)
            #expect(others.allSatisfy { $0.isOverloaded }, "\(tally(others))")
            try await expectRecovered(cluster, node)
        }

        @Test("what is too much is refused at once: while Redis says nothing, all but the accepted have their answer")
        func refusedAtOnce() async throws {
            let (cluster, node) = try await overloadable()
            try await cluster.proxies[0].set(.blackhole)
            let crowd = await Crowd(port: node.settings.adminPort, count: Self.crowd)
            crowd.say(issue(node))
            // The accepted wait for Redis until its deadline. Whoever is refused does not.
            let refused = try await crowd.collect(Self.crowd - maximumCalls)
            #expect(refused.allSatisfy { $0.isOverloaded }, "\(tally(refused))")
            #expect(refused.count == Self.crowd - maximumCalls)
            let accepted = try await crowd.collect()
            #expect(accepted.count == maximumCalls)
            #expect(accepted.allSatisfy { $0.answer.code == "redis_unavailable" }, "\(tally(accepted))")
            #expect(accepted.allSatisfy { $0.elapsed <= Self.bound + Self.allowance })
            try await expectRecovered(cluster, node)
        }

        @Test("health stays truthful: live answers, ready is 200 while the node is fresh and 503 once it is not")
        func truthfulHealth() async throws {
            let (cluster, node) = try await overloadable()
            let session = try await node.api.issue(ClusterHarness.newUser())
            try await cluster.proxies[0].set(.delay(.milliseconds(40)))
            let crowds = [
                await Crowd(port: node.settings.adminPort, count: Self.crowd),
                await Crowd(port: node.settings.publicPort, count: Self.crowd),
            ]
            async let revokes = crowds[0].ask(revoke(node), rounds: 15)
            async let validates = crowds[1].ask(strictValidate(session), rounds: 15)
            for _ in 0..<10 {
                for listener in Listener.allCases {
                    #expect(try await node.api.call("GET", "/health/live", on: listener).status == 200)
                    let ready = try await node.api.call("GET", "/health/ready", on: listener)
                    // On a machine that gave the node no core for Δ, stale is the truth.
                    #expect(ready.status == 200 || ready.code == "revocation_state_stale")
                }
                #expect(try await node.api.call("GET", "/v1/cluster").status == 200)
            }
            #expect(try await node.api.validate(session.token).status == 200, "validate from memory")
            _ = try await (revokes, validates)
            try await cluster.proxies[0].set(.blackhole)
            for crowd in crowds { crowd.leave() }
            let waiting = await Crowd(port: node.settings.adminPort, count: Self.crowd)
            waiting.say(issue(node))
            try await eventually("ready says that the node is stale") {
                let ready = try await node.api.call("GET", "/health/ready", on: .admin)
                return ready.status == 503 && ready.code == "revocation_state_stale"
            }
            #expect(try await node.api.call("GET", "/health/live", on: .admin).status == 200)
            try await expectRecovered(cluster, node)
        }

        @Test("a flood on the public listener does not keep a backend from revoking")
        func separateListeners() async throws {
            let (cluster, node) = try await overloadable()
            let session = try await node.api.issue(ClusterHarness.newUser())
            try await cluster.proxies[0].set(.delay(.milliseconds(40)))
            let crowd = await Crowd(port: node.settings.publicPort, count: Self.crowd)
            async let flood = crowd.ask(strictValidate(session), rounds: 15)
            for _ in 0..<5 {
                let answer = try await node.api.revoke(["userId": .string(ClusterHarness.newUser())])
                #expect(answer.status == 200, "\(answer.code ?? "")")
            }
            #expect(try await flood.contains { $0.isOverloaded })
            try await expectRecovered(cluster, node)
        }

        @Test("memory stays bounded: a second wave like the first needs no more")
        func boundedMemory() async throws {
            let (cluster, node) = try await overloadable()
            try await cluster.proxies[0].set(.delay(.milliseconds(20)))
            var resident: [Int] = []
            for _ in 0..<3 {
                let crowd = await Crowd(port: node.settings.adminPort, count: 2 * Self.crowd)
                _ = try await crowd.ask(issue(node), rounds: 10)
                crowd.leave()
                resident.append(try #require(node.residentBytes))
            }
            #expect(resident[2] <= resident[1] + 16 * 1024 * 1024, "\(resident)")
            try await expectRecovered(cluster, node)
        }

        @Test("clients that ask and hang up keep no place")
        func hangingUp() async throws {
            let (cluster, node) = try await overloadable()
            for _ in 0..<5 {
                let crowd = await Crowd(port: node.settings.adminPort, count: Self.crowd)
                crowd.say(issue(node))
                crowd.leave()
            }
            try await expectRecovered(cluster, node)
        }

        private func overloadable() async throws -> (ClusterHarness, NodeProcess) {
            let cluster = try await SharedCluster.ready()
            return (cluster, cluster.nodes[0])
        }

        /// By itself, once the load is gone: ready, and as many calls at once as there are places, none of them refused.
        private func expectRecovered(_ cluster: ClusterHarness, _ node: NodeProcess) async throws {
            try await cluster.proxies[0].set(.forward)
            try await cluster.ready()
            var answers: [CrowdAnswer] = []
            do {
                // New clients each time: what became of a connection says nothing of the places.
                try await eventually("all places are free again") {
                    let crowd = await Crowd(port: node.settings.adminPort, count: maximumCalls)
                    answers = try await crowd.ask(issue(node))
                    return answers.count { $0.status == 201 } == maximumCalls
                }
            } catch {
                Issue.record("\(tally(answers)) of \(maximumCalls)")
                throw error
            }
        }

        private func issue(_ node: NodeProcess) -> [UInt8] {
            adminPost("/v1/issue", #"{"userId":"u_overload"}"#, key: node.settings.apiKey)
        }

        private func revoke(_ node: NodeProcess) -> [UInt8] {
            adminPost("/v1/revoke", #"{"userId":"u_overload","wait":"cluster"}"#, key: node.settings.apiKey)
        }

        private func strictValidate(_ session: TestSession) -> [UInt8] {
            Array(
                ("GET /v1/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(session.token)\r\n"
                    + "Curfew-Consistency: strict\r\n\r\n").utf8)
        }

        private func tally(_ answers: [CrowdAnswer]) -> [String: Int] {
            answers.reduce(into: [:]) { $0["\($1.status) \($1.answer.code ?? "")", default: 0] += 1 }
        }
    }
}

/// A call of the admin listener in bytes, with its body or only the beginning of it.
func adminPost(_ path: String, _ body: String, key: String, length: Int? = nil) -> [UInt8] {
    Array(
        ("POST \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(key)\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(length ?? body.utf8.count)\r\n\r\n" + body).utf8)
}
