// `curfew cluster`: the nodes, the partitions and their freshness, as one node sees them.

import ArgumentParser
import Foundation

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Show nodes, partitions and freshness, as one node sees them.",
        discussion: ExitStatus.help)

    @OptionGroup(title: "Node") var client: ClientOptions

    func run() async throws {
        let answer = try await client.client().call(.get, "/v1/cluster")
        if client.json { return Terminal.say(answer.text) }
        let cluster = try answer.decoded(as: Cluster.self)
        let parts = [
            Self.overview(cluster), Self.primaries(cluster.redis), Self.nodes(cluster), Self.partitions(cluster),
        ].compactMap(\.self)
        Terminal.say((parts + cluster.redis.warnings.map { "note: \($0)" }).joined(separator: "\n\n"))
    }

    private static func overview(_ cluster: Cluster) -> String {
        let redis = cluster.redis
        var table = Table()
        table.add("asked", "\(cluster.nodeId), curfew \(cluster.version)")
        table.add("staleness bound", "\(cluster.stalenessBoundMs) ms")
        table.add("redis", "\(redis.address)  \(redis.connected ? "connected" : "not connected")")
        if redis.connected { table.add("", "\(redis.version), \(redis.role), \(redis.topology)") }
        let stale = cluster.partitions.count { !$0.fresh }
        let freshness = stale == 0 ? "all fresh" : "\(stale) not fresh"
        table.add("partitions", "\(cluster.partitions.count), \(freshness)")
        return table.text
    }

    /// Where there are several, who has what.
    private static func primaries(_ redis: Cluster.Redis) -> String? {
        guard redis.topology == "cluster" else { return nil }
        var table = Table(headings: ["PRIMARY", "", "VERSION", "PARTITIONS"])
        for primary in redis.primaries ?? [] {
            table.add(
                primary.address, primary.connected ? "connected" : "not connected", primary.version,
                primary.partitions.map(String.init).joined(separator: " "))
        }
        return table.text
    }

    private static func nodes(_ cluster: Cluster) -> String {
        var table = Table(headings: ["NODE", "LIVE IN", "LAG", ""])
        for node in cluster.nodes {
            let notes = [node.isSelf ? "this one" : nil, node.servesStale ? "serves stale" : nil]
            table.add(
                node.id, "\(node.livePartitions) of \(cluster.partitions.count)", "\(node.lag)",
                notes.compactMap(\.self).joined(separator: ", "))
        }
        return table.text
    }

    /// All of them while a screen holds them, else those that are not fresh.
    private static func partitions(_ cluster: Cluster) -> String? {
        let shown = cluster.partitions.count <= 32 ? cluster.partitions : cluster.partitions.filter { !$0.fresh }
        guard !shown.isEmpty else { return nil }
        var table = Table(headings: ["PARTITION", "SEQ", "HEAD", "FRESH", "AGE", "TOMBSTONES", ""])
        for partition in shown {
            table.add(
                "\(partition.partition)", "\(partition.seq)", "\(partition.head)", partition.fresh ? "yes" : "no",
                partition.ageMs.map { "\($0) ms" } ?? "never", "\(partition.tombstones)",
                partition.fresh ? "" : partition.detail ?? "")
        }
        return table.text
    }
}

/// The answer to `GET /v1/cluster`, as far as it is shown.
private struct Cluster: Decodable {
    struct Redis: Decodable {
        let address: String
        let connected: Bool
        let role: String
        let version: String
        let topology: String
        let warnings: [String]
        /// Nodes of an older version don't say.
        let primaries: [Primary]?
    }
    struct Primary: Decodable {
        let address: String
        let connected: Bool
        let version: String
        let partitions: [Int]
    }
    struct Node: Decodable {
        let id: String
        let isSelf: Bool
        let livePartitions: Int
        let lag: UInt64
        let servesStale: Bool

        private enum CodingKeys: String, CodingKey {
            case id, livePartitions, lag, servesStale
            case isSelf = "self"
        }
    }
    struct Partition: Decodable {
        let partition: Int
        let seq: UInt64
        let head: UInt64
        let fresh: Bool
        let ageMs: Int64?
        let detail: String?
        let tombstones: Int
    }
    let nodeId: String
    let version: String
    let stalenessBoundMs: Int64
    let redis: Redis
    let nodes: [Node]
    let partitions: [Partition]
}
