// `simulate`: runs seeds, each a cluster of its own under faults of its own, and stops at the first that breaks a promise.

import ArgumentParser
import Foundation
import Simulator

@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run whole clusters from seeds, under faults, and check every answer.")

    @Option(help: "How many seeds.")
    var seeds = 300

    @Option(help: "The first seed.")
    var first: UInt64 = 1

    @Option(help: "Lines of the trace to print where a promise is broken.")
    var trace = 60

    @Flag(help: "Put the nodes' own log lines into the trace.")
    var logs = false

    @Flag(help: "Print the hash of each run: two runs of one seed have the same.")
    var hashes = false

    @Flag(help: "Go on after a seed that breaks a promise.")
    var keepGoing = false

    @Flag(help: "Fail where the runs did too little for their number: see CountFloors.")
    var floors = false

    @Flag(help: "Let the clients take session_revoked for active: to see what a broken promise looks like.")
    var misheard = false

    func validate() throws {
        guard seeds >= 1 else { throw ValidationError("--seeds takes 1 or more, not \(seeds)") }
        guard first <= UInt64.max - UInt64(seeds) else {
            throw ValidationError("--first is too large for so many seeds")
        }
    }

    func run() throws {
        guard ProcessInfo.processInfo.environment["SWIFT_DETERMINISTIC_HASHING"] != nil else {
            throw ValidationError("set SWIFT_DETERMINISTIC_HASHING=1: the order of sets is part of a run")
        }
        CrashNote.install()
        let lua = LuaMachine()
        var counts = Counts()
        var failed: [UInt64] = []
        for seed in first..<first + UInt64(seeds) {
            CrashNote.seed(seed)
            let result = Simulation.run(seed: seed, isMisheard: misheard, lua: lua)
            counts += result.counts
            if hashes { print("seed \(seed)  \(String(result.hash, radix: 16))") }
            guard let failure = result.failure else { continue }
            failed.append(seed)
            print("seed \(seed): \(failure.violation)")
            if keepGoing { continue }
            let again = Simulation.run(
                seed: seed, traceLines: trace, hasLogs: logs, isMisheard: misheard, lua: lua)
            for line in again.failure?.trace ?? ["(did not happen again)"] { print(line) }
            print("replay: make simulate seeds=1 first=\(seed)")
            break
        }
        print(counts.text)
        print(failed.isEmpty ? "no violation" : "violations in \(failed.count) of \(counts.runs) seeds: \(failed)")
        let missing = floors ? counts.missing : []
        for line in missing { print("too little: \(line)") }
        if !failed.isEmpty || !missing.isEmpty { throw ExitCode.failure }
    }
}
