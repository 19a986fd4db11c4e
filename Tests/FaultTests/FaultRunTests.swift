// The promises under real faults: three node processes, a primary and a replica, a line that can fail between each of them,
// clients that never stop asking, and a nemesis. What the clients were told is kept, and judged when all of it is over.
//
//   swift test --filter '^FaultTests'                                  a minute of it, and the checker's own tests
//   CURFEW_FAULT_SECONDS=1800 CURFEW_FAULT_SEED=7 swift test --filter '^FaultTests.FaultRun'
//
// The seed draws the nemesis' schedule and the clients' choices again; how they meet is up to the machine.

import Foundation
import TestSupport
import Testing

@Suite struct FaultRun {
    private static let stalenessBoundMilliseconds = 750
    private static let roamingClients = 4

    @Test("promises 1 to 6 hold under every fault that the nemesis knows")
    func promisesHold() async throws {
        let seed = Self.number("CURFEW_FAULT_SEED") ?? UInt64.random(in: 0...999_999)
        let seconds = Int(Self.number("CURFEW_FAULT_SECONDS") ?? 60)
        Self.say("fault run: seed \(seed), \(seconds) s")
        let clock = ShiftedClock.isAvailable ? try ShiftedClock(seconds: 0) : nil
        var options = ClusterOptions(
            stalenessBoundMilliseconds: Self.stalenessBoundMilliseconds, arguments: ["--api-token-lifetime", "24h"])
        options.redis = RedisPair.options(clock: clock)
        options.hasWires = Wire.isAvailable
        try await ClusterHarness.run(options) { cluster in
            let pair = try await RedisPair(primary: cluster.redis, clock: clock)
            do {
                let report = try await run(Stage(cluster: cluster, redis: pair), seed: seed, seconds: seconds)
                Self.say(report.summary)
                for violation in report.violations.prefix(20) {
                    Issue.record("\(report.description(of: violation))")
                }
                #expect(report.violations.isEmpty)
            } catch {
                await pair.stop()
                throw error
            }
            await pair.stop()
        }
    }

    private func run(_ stage: Stage, seed: UInt64, seconds: Int) async throws -> Report {
        let recorder = Recorder(stalenessBound: stage.cluster.stalenessBound)
        let context = ClientContext(caller: Caller(nodes: stage.cluster.nodes, recorder: recorder))
        var nemesis = Nemesis(stage, recorder: recorder, random: SeededGenerator(seed: seed, stream: 0))
        let clients = Task {
            await withDiscardingTaskGroup { group in
                for index in 1...Self.roamingClients {
                    group.addTask {
                        var client = Client(context, random: SeededGenerator(seed: seed, stream: UInt64(index)))
                        await client.run()
                    }
                }
                for node in stage.cluster.nodes.indices {
                    group.addTask {
                        var watcher = Watcher(
                            context, node: node, random: SeededGenerator(seed: seed, stream: UInt64(100 + node)))
                        await watcher.run()
                    }
                }
            }
        }
        var hasRecovered = true
        do {
            try await nemesis.run(until: BootClock.now + Int64(seconds) * 1_000_000_000)
        } catch {
            // What the clients were told so far is judged all the same; there is nothing to look at a last time.
            hasRecovered = false
            Issue.record("the cluster did not recover: \(error)\n\(NodeLogs.lastLines(40))")
        }
        let failedAt = BootClock.now
        context.end()
        await clients.value
        guard hasRecovered else {
            recorder.addLoss(since: failedAt)
            return report(recorder.snapshot, seed: seed, seconds: seconds)
        }
        try await nemesis.settle()
        recorder.settle()
        try await LastLook(stage: stage, population: context.population, recorder: recorder).run()
        let history = recorder.snapshot
        let missing = Floors(seconds: seconds).missing(in: history)
        #expect(missing.isEmpty, "the run did too little to say anything:\n\(missing.joined(separator: "\n"))")
        return report(history, seed: seed, seconds: seconds)
    }

    private func report(_ history: History, seed: UInt64, seconds: Int) -> Report {
        Report(seed: seed, seconds: seconds, history: history, violations: Checker(history).violations())
    }

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { text in
            // `make faults` passes on what it was not given.
            guard !text.isEmpty else { return nil }
            guard let number = UInt64(text) else { fatalError("\(name): \(text), expected a whole number") }
            return number
        }
    }

    /// To whoever runs the tests, whether they pass or not.
    private static func say(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
