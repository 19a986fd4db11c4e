// One Redis server as a value: who it is, what it holds, which scripts it knows. It has no clock and no connections: the
// simulation says what time it is, delivers what was published, and makes a replica by copying `database`.
// How a command is refused, in which order and in which words, is Redis 7.0's.

import CurfewRedis

/// A simulated redis-server.
package struct SimulatedRedisServer: Sendable {
    package enum Role: Sendable, Equatable {
        case primary
        case replica(isLinked: Bool)
    }

    /// Why a server that answers can't be used.
    package enum Trouble: Sendable, Equatable {
        case none
        /// It has just started and reads its data.
        case loading
        /// A script runs too long.
        case busy
        /// `maxmemory` is used up.
        case outOfMemory
        /// Its last snapshot could not be written.
        case snapshotFailed
    }

    package var version = "7.0.15"
    /// 40 hex digits, new at every start of the process.
    package var runID: String
    /// 40 hex digits each: the history that its data belongs to, and the one before a promotion.
    package var replicationID: String
    package var previousReplicationID = String(repeating: "0", count: 40)
    package var replicationOffset: Int64 = 0
    package var role = Role.primary
    package var trouble = Trouble.none
    package var evictionPolicy = "noeviction"
    /// Those that INFO counts.
    package var connectedReplicas = 0
    /// Those that `min-replicas-to-write` counts: connected, and heard of within `min-replicas-max-lag`.
    package var goodReplicas = 0
    /// Those that WAIT counts. WAIT answers at once: the waiting is the simulation's.
    package var caughtUpReplicas = 0
    package var minimumReplicasToWrite = 0
    /// As before 7.0: scripts write where `minimumReplicasToWrite` forbids it.
    package var letsScriptsWrite = false
    package var maximumReplicaLagSeconds = 10
    package var database = SimulatedDatabase()
    /// Sources by digest.
    package var scripts: [String: [UInt8]] = [:]
    /// Of the command that runs.
    var call = CallState()

    package init(runID: String, replicationID: String) {
        self.runID = runID
        self.replicationID = replicationID
    }
}

/// What one command came to.
package struct Execution: Sendable {
    package var reply: RedisValue
    /// In order, scripts' included; to be delivered whatever the reply is.
    package var published: [(channel: String, message: [UInt8])]
    /// Whether a command that writes ran, on its own or in a script.
    package var hasWritten: Bool

    var isRefused: Bool { if case .error = reply { true } else { false } }
}

/// What a command that runs has: the time, which stands still for all of a script, and its effects beside the data.
struct CallState: Sendable {
    var microseconds: Int64 = 0
    var published: [(channel: String, message: [UInt8])] = []
    var hasWritten = false
    /// The machine that runs scripts; only while a command runs.
    var lua: LuaMachine.Reference?

    var milliseconds: Int64 { microseconds / 1000 }
}

extension SimulatedRedisServer {
    /// Runs one command, a script as a whole, at this time of the server's clock.
    package mutating func execute(_ command: RedisCommand, atMicroseconds now: Int64, lua: LuaMachine) -> Execution {
        call = CallState(microseconds: now, lua: LuaMachine.Reference(lua))
        defer { call = CallState() }
        database.expire(atMilliseconds: call.milliseconds)
        let words = [Bytes(command.verb)] + command.arguments.map { Bytes($0.bytes) }
        let reply: RedisValue
        do throws(CommandFault) {
            let entry = try find(words)
            if let refusal = refusal(of: entry, words[0]) { throw refusal }
            if entry.traits.contains(.writes) { call.hasWritten = true }
            reply = try entry.body(&self, words)
        } catch {
            reply = .error(error.message)
        }
        return Execution(reply: reply, published: call.published, hasWritten: call.hasWritten)
    }

    private func find(_ words: [Bytes]) throws(CommandFault) -> CommandEntry {
        guard let entry = CommandTable.entry(words[0]) else {
            let quoted = words[1...].map { "'\($0.text)' " }.joined()
            throw CommandFault("ERR unknown command '\(words[0].text)', with args beginning with: \(quoted)")
        }
        guard entry.takes(words.count) else { throw .arity(words[0]) }
        return entry
    }

    private func refusal(of entry: CommandEntry, _ name: Bytes) -> CommandFault? {
        switch trouble {
        case .busy:
            return CommandFault(
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
        case .loading where !entry.traits.contains(.worksWhileLoading):
            return CommandFault("LOADING Redis is loading the dataset in memory")
        case .outOfMemory where entry.traits.contains(.grows): return .outOfMemory
        case .snapshotFailed where role == .primary && name.isOption("ping"): return .snapshotFailed
        case .none, .loading, .outOfMemory, .snapshotFailed: break
        }
        guard entry.traits.contains(.writes) else { return nil }
        if trouble == .snapshotFailed, role == .primary { return .snapshotFailed }
        if lacksReplicas { return .noReplicas }
        return role == .primary ? nil : .readOnly
    }

    /// Why a script may not run this command now. Once it has written it may go on: half a script would be worse.
    func refusalInScript(of entry: CommandEntry) -> CommandFault? {
        guard !call.hasWritten else { return nil }
        if entry.traits.contains(.writes) {
            if role != .primary { return .readOnly }
            if trouble == .snapshotFailed { return .snapshotFailed }
            if lacksReplicas, !letsScriptsWrite { return .noReplicas }
        }
        return trouble == .outOfMemory && entry.traits.contains(.grows) ? .outOfMemory : nil
    }

    private var lacksReplicas: Bool {
        role == .primary && minimumReplicasToWrite > 0 && goodReplicas < minimumReplicasToWrite
    }
}

extension CommandFault {
    fileprivate static let readOnly = CommandFault("READONLY You can't write against a read only replica.")
    fileprivate static let noReplicas = CommandFault("NOREPLICAS Not enough good replicas to write.")
    fileprivate static let outOfMemory = CommandFault("OOM command not allowed when used memory > 'maxmemory'.")
    fileprivate static let snapshotFailed = CommandFault(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
            + "may modify the data set are disabled, because this instance is configured to report errors during "
            + "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for "
            + "details about the RDB error.")
}
