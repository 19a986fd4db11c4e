// A real Redis Cluster for a test: three primaries with a replica each, formed by the commands that any cluster is formed by.
// Members keep their places in the lists, whatever role they have taken on since.

import Foundation

/// Six redis-servers that are one cluster. `stop()` ends them.
package final class RedisClusterFixture: Sendable {
    package static let slotCount = 16_384
    package static let primaryCount = 3

    /// Primaries first, as the cluster began; member `i + 3` began as the replica of member `i`.
    package let members: [RedisServer]

    /// Returns once every member says that the cluster is whole, and every primary has its replica.
    package static func start(nodeTimeoutMilliseconds: Int = 1_500) async throws -> RedisClusterFixture {
        var options = RedisServerOptions()
        options.clusterNodeTimeoutMilliseconds = nodeTimeoutMilliseconds
        var members: [RedisServer] = []
        for _ in 0..<(2 * primaryCount) { members.append(try await RedisServer.start(options)) }
        let cluster = RedisClusterFixture(members)
        do {
            try await cluster.form()
        } catch {
            cluster.stop()
            throw error
        }
        return cluster
    }

    private init(_ members: [RedisServer]) { self.members = members }

    private func form() async throws {
        for member in members.dropFirst() {
            try members[0].call(["CLUSTER", "MEET", "127.0.0.1", "\(member.port)"])
        }
        let share = Self.slotCount / Self.primaryCount
        for index in 0..<Self.primaryCount {
            let end = index == Self.primaryCount - 1 ? Self.slotCount : (index + 1) * share
            // ADDSLOTSRANGE is of 7.0.
            try members[index].call(["CLUSTER", "ADDSLOTS"] + (index * share..<end).map(String.init))
        }
        for index in 0..<Self.primaryCount {
            let (primary, replica) = (members[index], members[index + Self.primaryCount])
            try await eventually("the replica has heard of its primary") {
                try replica.call(["CLUSTER", "REPLICATE", primary.call(["CLUSTER", "MYID"])]) == "OK"
            }
        }
        try await settled()
    }

    /// Waits until every member that lives says that the cluster is whole, with a replica that has everything at each primary.
    package func settled(within limit: Duration = .seconds(30)) async throws {
        try await eventually(deadline: limit, "the Redis Cluster is whole") {
            let living = self.members.filter { $0.pid != 0 }
            return try living.allSatisfy { member in
                let info = try member.call(["CLUSTER", "INFO"])
                guard info.contains("cluster_state:ok"), info.contains("cluster_slots_ok:\(Self.slotCount)") else {
                    return false
                }
                let replication = try member.call(["INFO", "replication"])
                return replication.contains("role:master")
                    ? living.count < self.members.count || replication.contains("state=online")
                    : replication.contains("master_link_status:up")
            }
        }
    }

    /// For `--redis`: two of the members, as one would configure it.
    package var url: String {
        "redis+cluster://\(RedisUser.name):\(RedisUser.password)@127.0.0.1:\(members[0].port),127.0.0.1:\(members[4].port)"
    }

    /// The member that has this slot now, as `asked` sees it.
    package func owner(of slot: Int, asked: RedisServer) throws -> RedisServer {
        let lines = try asked.call(["CLUSTER", "NODES"]).split(separator: "\n")
        for line in lines {
            let fields = line.split(separator: " ")
            guard fields.count > 8, fields[2].contains("master"), !fields[2].contains("fail") else { continue }
            let hasSlot = fields[8...].contains { range in
                let ends = range.split(separator: "-").compactMap { Int($0) }
                guard let first = ends.first, let last = ends.last, !range.hasPrefix("[") else { return false }
                return first <= slot && slot <= last
            }
            let port = fields[1].split(separator: "@")[0].split(separator: ":").last.flatMap { Int($0) }
            if hasSlot, let member = members.first(where: { $0.port == port }) { return member }
        }
        throw RedisCallError(description: "nobody has slot \(slot)")
    }

    /// Those that replicate this one, as `asked` sees it.
    package func replicas(of primary: RedisServer, asked: RedisServer) throws -> [RedisServer] {
        let id = try primary.call(["CLUSTER", "MYID"])
        return try asked.call(["CLUSTER", "NODES"]).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 3, fields[3] == id else { return nil }
            let port = fields[1].split(separator: "@")[0].split(separator: ":").last.flatMap { Int($0) }
            return members.first { $0.port == port }
        }
    }

    /// Which slot a key is in.
    package func slot(of key: String) throws -> Int {
        let living = members.first { $0.pid != 0 } ?? members[0]
        return Int(try living.call(["CLUSTER", "KEYSLOT", key])) ?? -1
    }

    /// Begins to move a slot: from now on its keys may be at either.
    package func beginMove(of slot: Int, from source: RedisServer, to target: RedisServer) throws {
        let (from, to) = (try source.call(["CLUSTER", "MYID"]), try target.call(["CLUSTER", "MYID"]))
        try target.call(["CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", from])
        try source.call(["CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", to])
    }

    /// Moves up to `count` keys of the slot; whether any was left to move.
    package func moveKeys(of slot: Int, count: Int, from source: RedisServer, to target: RedisServer) throws -> Bool {
        let keys = try source.call(["CLUSTER", "GETKEYSINSLOT", "\(slot)", "\(count)"]).split(separator: "\n")
        guard !keys.isEmpty else { return false }
        try move(keys.map(String.init), from: source, to: target)
        return true
    }

    package func move(_ keys: [String], from source: RedisServer, to target: RedisServer) throws {
        try source.call(["MIGRATE", "127.0.0.1", "\(target.port)", "", "0", "5000", "KEYS"] + keys)
    }

    /// Gives the slot to its target, as `redis-cli --cluster reshard` does: the target first.
    package func endMove(of slot: Int, from source: RedisServer, to target: RedisServer) throws {
        let id = try target.call(["CLUSTER", "MYID"])
        for member in [target, source] { try member.call(["CLUSTER", "SETSLOT", "\(slot)", "NODE", id]) }
    }

    package func stop() { for member in members { member.stop() } }
}
