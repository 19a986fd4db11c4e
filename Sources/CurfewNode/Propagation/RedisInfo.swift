// What INFO says that the protocol needs: the reign, the role, the version and what may be evicted.

import CurfewCore

/// One server's INFO, read strictly: a field that is missing is `nil`, never a guess.
package struct RedisInfo: Sendable, Equatable {
    private let fields: [String: String]

    package init(_ text: String) {
        var fields: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { fields[String(parts[0])] = String(parts[1]) }
        }
        self.fields = fields
    }

    package var role: String? { fields["role"] }
    package var version: String? { fields["redis_version"] }
    package var maxmemoryPolicy: String? { fields["maxmemory_policy"] }
    package var connectedReplicas: Int { fields["connected_slaves"].flatMap { Int($0) } ?? 0 }

    /// The reign, where `runID` is known (INFO replication alone does not repeat it).
    package func sighting(runID known: String? = nil) -> ReignTracker.Sighting? {
        guard let runID = runID ?? known, let history = replicationID,
            let previous = fields["master_replid2"]
        else { return nil }
        return ReignTracker.Sighting(runID: runID, replicationID: history, previousReplicationID: previous)
    }

    package var runID: String? { fields["run_id"] }
    package var replicationID: String? { fields["master_replid"] }

    /// From 7.0 on a script that may not write for want of replicas is refused as a whole.
    var refusesScriptsWithoutReplicas: Bool { (majorVersion ?? 0) >= 7 }

    /// Redis 6.2 is the oldest that has what the scripts need (`ZADD GT`, scripts replicated by effects).
    package static func isSupported(version: String) -> Bool {
        let numbers = version.split(separator: ".").prefix(2).map { Int($0) ?? 0 }
        guard let major = numbers.first else { return false }
        return major > 6 || (major == 6 && numbers.count > 1 && numbers[1] >= 2)
    }

    /// SPUBLISH and SSUBSCRIBE, since 7.0.
    package var hasShardedPubSub: Bool { (majorVersion ?? 0) >= 7 }

    private var majorVersion: Int? { version?.split(separator: ".").first.flatMap { Int($0) } }

    /// Whether this policy may evict keys without a TTL, the revocation list among them: that would un-revoke.
    package static func canEvictRevocations(policy: String) -> Bool {
        policy != "noeviction" && !policy.hasPrefix("volatile-")
    }
}
