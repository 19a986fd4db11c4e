// Promise 1: validation stays inside the node. Two ways to see it: nothing changes while Redis can't answer (until Δ), and
// Redis counts no more commands for thousands of validations than it does for polls.

import TestSupport
import Testing

extension ClusterTests {
    @Suite(.cluster()) struct ValidationInsideNode {
        @Test("promise 1: a healthy node validates sessions it has never seen while Redis stands still")
        func withoutRedis() async throws {
            let cluster = try await SharedCluster.ready()
            var sessions: [TestSession] = []
            for _ in 0..<100 { sessions.append(try await cluster.nodes[0].api.issue(ClusterHarness.newUser())) }
            // A poll is at most 200 ms (and its own way) old, so what begins within 400 ms is far below Δ.
            let hammer = Hammer(Array(cluster.nodes[1...]), [])
            let stopped = cluster.pauseRedis()
            hammer.aim(at: sessions.map(\.token))
            try await eventually("half a second has passed for the hammer") {
                hammer.samples.contains { $0.began > stopped + 500_000_000 }
            }
            cluster.redis.resume()
            let samples = await hammer.stop().filter { $0.began > stopped && $0.began < stopped + 400_000_000 }
            #expect(samples.count > 100)
            #expect(Set(samples.map(\.token)).count == 100)
            #expect(samples.allActive, "\(samples.tally)")
        }

        @Test("promise 1: thousands of validations cost Redis no command at all beyond the polls")
        func countedByRedis() async throws {
            let cluster = try await SharedCluster.ready()
            var sessions: [TestSession] = []
            for _ in 0..<50 { sessions.append(try await cluster.nodes[0].api.issue(ClusterHarness.newUser())) }
            try cluster.redis.call(["CONFIG", "RESETSTAT"])
            let hammer = Hammer(
                ports: [cluster.publicPorts[1]], tokens: sessions.map(\.token), pauseMilliseconds: 0)
            let wanted = 3_000
            try await eventually("\(wanted) validations") { hammer.samples.count > wanted }
            let calls = try commandCalls(cluster.redis)
            let samples = await hammer.stop()
            #expect(samples.allActive, "\(samples.tally)")
            // Polls are some dozens a second; one command a validation would be three thousand.
            #expect(calls.allSatisfy { $0.value < wanted }, "\(calls)")
        }

        /// How often each command was called since the last reset.
        private func commandCalls(_ redis: RedisServer) throws -> [String: Int] {
            let lines = try redis.call(["INFO", "commandstats"]).split(whereSeparator: \.isNewline)
            var calls: [String: Int] = [:]
            for line in lines where line.hasPrefix("cmdstat_") {
                let name = line.dropFirst(8).prefix { $0 != ":" }
                let count = line.drop { $0 != "=" }.dropFirst().prefix { $0 != "," }
                calls[String(name)] = Int(count)
            }
            return calls
        }
    }
}
