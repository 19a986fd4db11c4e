// Redis misbehaves and keeps its data: stops, closes connections, forgets scripts, refuses writes in every way it knows, has
// another idea of the time.

import Dispatch
import Foundation
import TestSupport

enum RedisFault: String, CaseIterable, Sendable {
    case stopped = "SIGSTOP of Redis"
    case clientsKilled = "CLIENT KILL"
    case subscribersKilled = "CLIENT KILL TYPE pubsub"
    case scriptsFlushed = "SCRIPT FLUSH"
    case outOfMemory = "OOM"
    case cannotSave = "MISCONF"
    case readOnly = "READONLY"
    case busy = "BUSY"
    case clockStep = "Redis clock step"
    case clockFarOff = "Redis clock 40 s off"
    case replicationCut = "replication cut"
    case replicationSlow = "replication 300 ms slow, each way"
    case replicationReset = "replication reset, twice"

    /// What this machine can do.
    static var possible: [RedisFault] {
        allCases.filter { ($0 != .clockStep && $0 != .clockFarOff) || ShiftedClock.isAvailable }
    }

    func fault(on stage: Stage, using random: inout SeededGenerator) -> Fault {
        let redis = stage.redis
        func twice(_ arguments: [String]) -> Fault {
            Fault(
                kind: rawValue, name: rawValue, begin: { try redis.primary.call(arguments) },
                end: { try redis.primary.call(arguments) })
        }
        func configured(_ name: String, _ value: String, after: String) -> Fault {
            Fault(
                kind: rawValue, name: rawValue, begin: { try redis.primary.call(["CONFIG", "SET", name, value]) },
                end: { try redis.primary.call(["CONFIG", "SET", name, after]) })
        }
        switch self {
        case .stopped:
            return Fault(
                kind: rawValue, name: rawValue,
                begin: {
                    redis.primary.pause()
                    SpawnedProcess.waitUntilStopped(redis.primary.pid)
                }, end: { redis.primary.resume() })
        case .clientsKilled: return twice(["CLIENT", "KILL", "TYPE", "normal"])
        case .subscribersKilled: return twice(["CLIENT", "KILL", "TYPE", "pubsub"])
        case .scriptsFlushed: return twice(["SCRIPT", "FLUSH"])
        case .outOfMemory: return configured("maxmemory", "1", after: "0")
        case .cannotSave:
            return Fault(
                kind: rawValue, name: rawValue, begin: { try await redis.primary.failToSave() },
                end: { try redis.primary.saveAgain() })
        case .readOnly:
            // A replica of nobody: nothing is lost, and the term that it begins on its return has everything.
            return Fault(
                kind: rawValue, name: rawValue, begin: { try redis.primary.call(["REPLICAOF", "127.0.0.1", "1"]) },
                end: { try redis.primary.call(["REPLICAOF", "NO", "ONE"]) })
        case .busy:
            return Fault(
                kind: rawValue, name: rawValue, begin: { try redis.primary.keepBusy() },
                end: { try await redis.primary.interrupt() })
        case .clockStep:
            let seconds = [-14, -9, -3, 3, 9, 14].randomElement(using: &random) ?? 9
            return Fault(
                kind: rawValue, name: "\(rawValue) (\(seconds) s)", begin: { try redis.moveClock(to: seconds) }, end: {}
            )
        case .clockFarOff:
            let seconds = random.happens(perMille: 500) ? 40 : -40
            return Fault(
                kind: rawValue, name: "\(rawValue) (\(seconds) s)", begin: { try redis.moveClock(to: seconds) },
                end: { try redis.moveClock(to: 0) })
        case .replicationCut:
            return Fault(
                kind: rawValue, name: rawValue, begin: { try await redis.replicationLine.set(.blackhole) },
                end: { try await redis.replicationLine.set(.forward) })
        case .replicationSlow:
            return Fault(
                kind: rawValue, name: rawValue,
                begin: { try await redis.replicationLine.set(.delay(.milliseconds(300))) },
                end: { try await redis.replicationLine.set(.forward) })
        case .replicationReset:
            return Fault(
                kind: rawValue, name: rawValue, begin: { try await redis.replicationLine.resetAll() },
                end: { try await redis.replicationLine.resetAll() })
        }
    }
}

extension RedisServer {
    /// Every write is answered MISCONF: a snapshot could not be written, as its name is taken by a directory (root writes
    /// wherever there is a place, so a forbidden one would not do).
    fileprivate func failToSave() async throws {
        try FileManager.default.createDirectory(
            atPath: directory + "/taken.rdb/by a directory", withIntermediateDirectories: true)
        try call(["CONFIG", "SET", "dbfilename", "taken.rdb"])
        try call(["CONFIG", "SET", "save", "3600 1000000"])
        try await eventually("Redis failed to save") {
            _ = try? call(["BGSAVE"])
            return try call(["INFO", "persistence"]).contains("rdb_last_bgsave_status:err")
        }
    }

    fileprivate func saveAgain() throws {
        try call(["CONFIG", "SET", "save", ""])
        try call(["CONFIG", "SET", "dbfilename", "dump.rdb"])
    }

    /// A script that never ends; who asks for anything is soon answered BUSY.
    fileprivate func keepBusy() throws {
        try call(["CONFIG", "SET", "busy-reply-threshold", "20"])
        DispatchQueue.global().async { _ = try? self.call(["EVAL", "while true do end", "0"]) }
    }

    fileprivate func interrupt() async throws {
        try await eventually("the busy script has ended") {
            _ = try? call(["SCRIPT", "KILL"])
            return try call(["PING"]) == "PONG"
        }
        try call(["CONFIG", "SET", "busy-reply-threshold", "5000"])
    }
}
