// What INFO and CONFIG GET say: the fields that tell one server, reign or setting from another.

extension SimulatedRedisServer {
    /// Every section where none is named; a name that Redis does not know adds nothing.
    func info(sections: [String]) -> String {
        let all = ["server": serverInfo, "memory": memoryInfo, "replication": replicationInfo]
        let named = sections.isEmpty || sections.contains { ["all", "default", "everything"].contains($0) }
        return ["server", "memory", "replication"].filter { named || sections.contains($0) }
            .compactMap { all[$0] }.map { $0.joined(separator: "\r\n") + "\r\n" }.joined(separator: "\r\n")
    }

    private var serverInfo: [String] {
        ["# Server", "redis_version:\(version)", "redis_mode:standalone", "run_id:\(runID)"]
    }

    private var memoryInfo: [String] { ["# Memory", "maxmemory_policy:\(evictionPolicy)"] }

    private var replicationInfo: [String] {
        var lines = ["# Replication"]
        switch role {
        case .primary: lines.append("role:master")
        case .replica(let isLinked):
            lines += ["role:slave", "master_link_status:\(isLinked ? "up" : "down")", "slave_read_only:1"]
        }
        lines += [
            "connected_slaves:\(connectedReplicas)", "master_replid:\(replicationID)",
            "master_replid2:\(previousReplicationID)", "master_repl_offset:\(replicationOffset)",
        ]
        if minimumReplicasToWrite > 0 { lines.insert("min_slaves_good_slaves:\(goodReplicas)", at: lines.count - 3) }
        return lines
    }

    var settings: [(name: String, value: String)] {
        [
            ("maxmemory-policy", evictionPolicy), ("min-replicas-to-write", String(minimumReplicasToWrite)),
            ("min-replicas-max-lag", String(maximumReplicaLagSeconds)),
        ]
    }
}
