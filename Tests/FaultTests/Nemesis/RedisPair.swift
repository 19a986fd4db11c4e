// A primary and its replica, which change roles. The replica's line to the primary can be cut on its own; each server has a
// clock of its own, which can be moved.

import Synchronization
import TestSupport

final class RedisPair: Sendable {
    private struct Member: Sendable {
        let server: RedisServer
        let clock: ShiftedClock?
    }

    /// Towards whoever is primary.
    let replicationLine: FaultProxy
    private let roles: Mutex<(primary: Member, replica: Member)>

    var primary: RedisServer { roles.withLock { $0.primary.server } }
    var replica: RedisServer { roles.withLock { $0.replica.server } }

    /// Options of either server.
    static func options(clock: ShiftedClock?) -> RedisServerOptions {
        var options = RedisServerOptions()
        options.configuration = [
            // A replica gets its copy at once; protected settings may be changed to make saving fail; a server that loads its
            // data answers often meanwhile.
            "repl-diskless-sync-delay 0", "enable-protected-configs yes", "loading-process-events-interval-bytes 1024",
        ]
        options.environment = clock?.environment ?? [:]
        return options
    }

    init(primary: RedisServer, clock: ShiftedClock?) async throws {
        let other = ShiftedClock.isAvailable ? try ShiftedClock(seconds: 0) : nil
        let replica = try await RedisServer.start(Self.options(clock: other))
        replicationLine = try await FaultProxy.start(to: .tcp(host: "127.0.0.1", port: primary.port))
        roles = Mutex((Member(server: primary, clock: clock), Member(server: replica, clock: other)))
        try follow(replica)
    }

    func stop() async {
        try? await replicationLine.stop()
        replica.stop()
        primary.stop()
    }

    /// The primary's; the replica keeps its own, so that a failover can step it too.
    func moveClock(to seconds: Int) throws { try roles.withLock { try $0.primary.clock?.move(to: seconds) } }

    func waitUntilReplicated() async throws {
        try await eventually(deadline: .seconds(30), "the replica follows the primary") {
            try replica.call(["INFO", "replication"]).contains("master_link_status:up")
        }
    }

    private func follow(_ server: RedisServer) throws {
        try server.call(["REPLICAOF", "127.0.0.1", "\(replicationLine.port)"])
    }

    /// The errors that both have answered since they were asked last, by code.
    func takeErrors() throws -> [String: Int] {
        var errors: [String: Int] = [:]
        for server in [primary, replica] where server.pid != 0 {
            errors.merge(try server.errorCounts(), uniquingKeysWith: +)
            try server.call(["CONFIG", "RESETSTAT"])
        }
        return errors
    }

    /// Whether some partition's log goes on at the primary beyond what the replica has.
    func isReplicaBehind() throws -> Bool {
        try primary.call(["KEYS", "*:head"]).split(separator: "\n").contains { head in
            try primary.call(["HGET", String(head), "seq"]) != replica.call(["HGET", String(head), "seq"])
        }
    }

    // A failover in three steps. The primary's end comes first, so that there are never two that answer.

    /// The primary is killed, or becomes a replica and lives on; nobody answers now.
    func endReign(isCrash: Bool) async throws -> RedisServer {
        let (old, new) = (primary, replica)
        try await replicationLine.redirect(to: .tcp(host: "127.0.0.1", port: new.port))
        if isCrash { old.crash() } else { try follow(old) }
        return old
    }

    /// The replica takes over. Whoever connects a moment too early meets a server that is still a replica.
    func promoteReplica(_ cluster: ClusterHarness) async throws {
        let new = replica
        try await cluster.switchRedis(toSocket: new.unixSocket)
        try new.call(["REPLICAOF", "NO", "ONE"])
        roles.withLock { $0 = ($0.replica, $0.primary) }
    }

    /// The former primary follows the new one; after a crash it comes back empty.
    func welcome(_ old: RedisServer) async throws {
        try await replicationLine.set(.forward)
        try await replicationLine.dropAll()
        if old.pid == 0 {
            try await old.restart(.empty)
            try follow(old)
        }
    }
}
