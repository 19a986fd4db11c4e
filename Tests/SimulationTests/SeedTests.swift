// The simulation itself: seeds that must break no promise, and a seed that must be the same run twice. `simulate` is started as
// a process of its own, since the order of Swift's sets, which is part of a run, is fixed for a whole process or not at all.

import Foundation
import Simulator
import TestSupport
import Testing

@Suite("Simulation")
struct SeedTests {
    private static let program = URL(fileURLWithPath: NodeProcess.executable).deletingLastPathComponent()
        .appending(path: "simulate")

    /// How many seeds, from where: `CURFEW_SIMULATE_SEEDS`, `CURFEW_SIMULATE_FIRST`.
    private static func setting(_ name: String, _ standard: String) -> String {
        ProcessInfo.processInfo.environment[name] ?? standard
    }

    private static func simulate(_ arguments: [String]) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = ["SWIFT_DETERMINISTIC_HASHING": "1"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test("no seed breaks a promise: every answer of every node is held to I1 to I6, and there is enough of each kind")
    func seeds() throws {
        let (status, text) = try Self.simulate([
            "--floors", "--seeds", Self.setting("CURFEW_SIMULATE_SEEDS", "300"),
            "--first", Self.setting("CURFEW_SIMULATE_FIRST", "1"),
        ])
        #expect(status == 0, "\(text)")
        #expect(text.contains("no violation"))
        // Forgetting is part of what they try.
        #expect(text.contains(/[1-9][0-9]* entries swept in Redis, [1-9][0-9]* forgotten in memory/))
    }

    @Test("one seed is one run, bit for bit, in any process")
    func determinism() throws {
        let arguments = ["--seeds", "6", "--first", "7001", "--hashes"]
        let first = try Self.simulate(arguments)
        let second = try Self.simulate(arguments)
        #expect(first.status == 0)
        #expect(first.text == second.text)
        #expect(Set(first.text.matches(of: /seed \d+  [0-9a-f]+/).map(\.output)).count == 6)
    }

    @Test("a seed is the same run in a process of its own as behind others")
    func independence() throws {
        let (seeds, last) = (20, 7_020)
        let behind = try Self.simulate(["--seeds", "\(seeds)", "--first", "\(last - seeds + 1)", "--hashes"])
        let alone = try Self.simulate(["--seeds", "1", "--first", "\(last)", "--hashes"])
        let hash = try #require(alone.text.firstMatch(of: /seed 7020  [0-9a-f]+/)).output
        #expect(behind.text.contains(hash), "alone: \(hash)\n\(behind.text)")
    }

    @Test("a seed that breaks a promise says which, what came before it, and how to run it again")
    func failure() throws {
        let (status, text) = try Self.simulate(["--seeds", "3", "--first", "41", "--misheard", "--trace", "12"])
        #expect(status != 0)
        let lines = text.split(separator: "\n")
        let found = try #require(
            lines[0].firstMatch(of: #/^seed (4[123]): I[1-6].* answers active for s\d+, /#), "\(text)")
        let end = try #require(lines.firstIndex { $0.hasPrefix("replay: ") })
        #expect(lines[end] == "replay: make simulate seeds=1 first=\(found.output.1)")
        // The trace ends with what broke it.
        #expect(end == 13)
        #expect(lines[end - 1].contains("  CHECK  I"))
        #expect(text.contains("violations in 1 of "))
        let replay = try Self.simulate([
            "--seeds", "1", "--first", String(found.output.1), "--misheard", "--trace", "12",
        ])
        #expect(replay.text.split(separator: "\n")[...end] == lines[...end])
    }

    @Test("a run that crashes names its seed, and how to run it again")
    func crash() throws {
        let process = Process()
        process.executableURL = Self.program
        process.arguments = ["--seeds", "100000", "--first", "61", "--hashes"]
        process.environment = ["SWIFT_DETERMINISTIC_HASHING": "1"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        // It runs: seed 61 is over.
        var text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        kill(process.processIdentifier, SIGSEGV)
        text += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGSEGV)
        let seed = try #require(text.firstMatch(of: /seed (\d+): crashed\n/)).output.1
        #expect(text.hasSuffix("replay: make simulate seeds=1 first=\(seed)\n"), "\(text)")
        #expect(text.contains("seed 61  "), "\(text)")
    }

    @Test("runs that do too little for their number fail, and say of what")
    func floors() throws {
        var counts = Counts()
        counts.runs = 300
        let missing = counts.missing
        for what in ["sessions issued", "changes fenced", "fault flush", "refused as session_revoked"] {
            #expect(missing.contains { $0.hasPrefix("\(what): 0, expected at least ") }, "\(missing)")
        }
    }

    @Test("a run without deterministic hashing is refused, not irreproducible")
    func hashing() throws {
        let process = Process()
        process.executableURL = Self.program
        process.environment = [:]
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus != 0)
        #expect(text.contains("set SWIFT_DETERMINISTIC_HASHING=1"), "\(text)")
    }
}
