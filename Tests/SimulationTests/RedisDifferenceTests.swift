// The simulated Redis is only worth something as far as it is Redis: the same calls on both, the same answers, the same keys.
// A difference names its seed and its call; CURFEW_SEED=… repeats one sequence, CURFEW_SEQUENCES=… makes more of them.

import CurfewCore
import CurfewRedis
import Foundation
import Simulator
import TestSupport
import Testing

@testable import CurfewNode

@Suite("The simulated Redis", .enabled(if: ShiftedClock.isAvailable, "needs a C compiler"), .serialized)
struct RedisDifferenceTests {
    @Test(
        "answers random calls of every script as a real one does, publishes the same, and holds the same keys after them"
    )
    func randomCalls() async throws {
        let environment = ProcessInfo.processInfo.environment
        let chosen = environment["CURFEW_SEED"].flatMap { UInt64($0) }
        let count = environment["CURFEW_SEQUENCES"].flatMap { UInt64($0) } ?? 200
        try await RedisPair.run(listeningTo: RandomCalls.channels) { pair in
            for seed in chosen.map({ $0...$0 }) ?? 1...count {
                try await pair.call("FLUSHALL")
                try await runSequence(seed, on: pair)
            }
        }
    }

    private func runSequence(_ seed: UInt64, on pair: RedisPair) async throws {
        var calls = RandomCalls(
            seed: seed, history: pair.simulated.replicationID, trimsLogs: !pair.simulated.letsScriptsWrite)
        for index in 0..<60 {
            pair.context = "seed \(seed), call \(index)"
            pair.now += calls.pause()
            switch calls.next(now: pair.now) {
            case .script(let call): calls.learn(from: try await pair.call(call), of: call)
            case .command(let command): try await pair.call(command)
            case .stepBack(let command, let microseconds):
                try await pair.call(command)
                pair.now -= microseconds
            }
        }
        pair.context = "seed \(seed), content"
        try await pair.comparePublished()
        try await pair.compareContent()
    }

    @Test("trims a long log at the same entries, node by node")
    func longLog() async throws {
        try await RedisPair.run { pair in
            // Of every length, so that a node's end falls on every byte.
            for (key, lengths) in [("few bytes", 3), ("some bytes", 211), ("many bytes", 1500), ("numbers", 1)] {
                for first in stride(from: 1, to: 1500, by: 100) {
                    let commands = (first..<(first + 100)).flatMap { id -> [RedisCommand] in
                        let text =
                            key == "numbers" ? "\(id * id * id)" : String(repeating: "x", count: id * 37 % lengths)
                        let more: [RedisArgument] = id.isMultiple(of: 7) ? ["other", RedisArgument("-\(id)")] : []
                        let words: [RedisArgument] = ["MAXLEN", "~", "10", RedisArgument("\(id)-0"), "e"]
                        return [
                            RedisCommand("XADD", [RedisArgument(key)] + words + [RedisArgument(text)] + more),
                            RedisCommand("XRANGE", [RedisArgument(key), "-", "+", "COUNT", "1"]),
                        ]
                    }
                    try await pair.call(commands)
                }
            }
            try await pair.compareContent()
        }
    }

    @Test("ends a key in the same millisecond")
    func expiry() async throws {
        try await RedisPair.run { pair in
            let start = pair.now
            for offset in [-1, 0, 1, 2] {
                try await pair.call("SET", "k", "v")
                try await pair.call("EXPIREAT", "k", "\(pair.now / 1_000_000 + Int64(offset))")
                try await pair.call("PEXPIRETIME", "k")
                for step in [0, 999_000, 1000, 999, 1, 998_000, 2000] {
                    pair.now += Int64(step)
                    pair.context = "\(offset) s, \(pair.now - start) µs"
                    try await pair.call("EXISTS", "k")
                    try await pair.call("GET", "k")
                }
                pair.now += 10_000_000 - pair.now % 1_000_000
            }
        }
    }

    @Test("refuses wrong commands in the same words", arguments: WrongCalls.commands)
    func wrongCommands(_ lines: [String]) async throws {
        try await RedisPair.run { pair in
            for line in lines {
                try await pair.call(line.split(separator: " ").map(String.init))
            }
            try await pair.compareContent()
        }
    }

    @Test("refuses writes in the same words when it is a replica, lacks replicas, lacks memory or can't save")
    func trouble() async throws {
        try await RedisPair.run { pair in
            for script in WrongCalls.inTrouble where script[0] == "EVAL" { try await pair.call(script) }
            func compare(_ context: String) async throws {
                pair.context = context
                for words in WrongCalls.inTrouble { try await pair.call(words) }
                try await pair.compareContent()
            }
            try pair.server.call(["CONFIG", "SET", "min-replicas-to-write", "1"])
            pair.simulated.minimumReplicasToWrite = 1
            try await compare("lacks replicas")
            try pair.server.call(["CONFIG", "SET", "min-replicas-to-write", "0"])
            pair.simulated.minimumReplicasToWrite = 0

            try pair.server.call(["CONFIG", "SET", "maxmemory", "1"])
            pair.simulated.trouble = .outOfMemory
            try await compare("lacks memory")
            try pair.server.call(["CONFIG", "SET", "maxmemory", "0"])

            try FileManager.default.createDirectory(
                atPath: pair.server.directory + "/dump.rdb", withIntermediateDirectories: false)
            try pair.server.call(["CONFIG", "SET", "save", "3600 1"])
            try pair.server.call(["BGSAVE"])
            try await eventually("a snapshot fails") {
                try pair.server.call(["INFO", "persistence"]).contains("rdb_last_bgsave_status:err")
            }
            pair.simulated.trouble = .snapshotFailed
            try await compare("can't save")
            try pair.server.call(["CONFIG", "SET", "save", ""])
            pair.simulated.trouble = .none

            try pair.server.call(["REPLICAOF", "127.0.0.1", "1"])
            pair.simulated.role = .replica(isLinked: false)
            try await compare("is a replica")
        }
    }

    @Test("says in the same words that a script keeps it busy, and that it loads its data")
    func absent() async throws {
        try await RedisPair.run { pair in
            let server = pair.server
            // (busy-reply-threshold since 7.0.)
            try server.call(["CONFIG", "SET", "lua-time-limit", "1"])
            let busy = Task.detached { try? server.call(["EVAL", "while true do end", "0"]) }
            try await eventually("the script keeps it busy") { Self.answer(server, ["PING"]).hasPrefix("BUSY") }
            pair.simulated.trouble = .busy
            for words in WrongCalls.inTrouble { try pair.compareErrors(words) }
            try await eventually("the script has ended") {
                _ = try? server.call(["SCRIPT", "KILL"])
                return try server.call(["PING"]) == "PONG"
            }
            _ = await busy.value
            // It answers after so many bytes of the file.
            try server.call(["CONFIG", "SET", "rdbcompression", "no"])
            for key in 1...200 { try server.call(["SET", "k\(key)", String(repeating: "k", count: 2048)]) }
            async let restarted: Void = server.restart(
                .kept, configuration: ["key-load-delay 20000", "loading-process-events-interval-bytes 1024"])
            try await eventually("it loads its data") { Self.answer(server, ["GET", "k"]).hasPrefix("LOADING") }
            pair.simulated.trouble = .loading
            for words in WrongCalls.inTrouble { try pair.compareErrors(words) }
            #expect(Self.answer(server, ["GET", "k"]).hasPrefix("LOADING"), "it did all the while")
            try await restarted
        }
    }

    private static func answer(_ server: RedisServer, _ words: [String]) -> String {
        do { return try server.call(words) } catch { return "\(error)" }
    }

    @Test("converts values between Lua and Redis, and reports what goes wrong in a script, in the same way")
    func scripts() async throws {
        try await RedisPair.run { pair in
            for source in WrongCalls.scripts {
                pair.context = source
                try await pair.call("EVAL", source, "1", "key", "argument")
            }
            try await pair.compareContent()
        }
    }
}
