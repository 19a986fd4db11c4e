// The names of everything that lives in Redis. All of one partition carry its hash tag `{p}`, so that one script can
// touch all of them, on Redis Cluster too; the only other key is the cluster's own settings.

import CurfewCore

/// Keys and channels under one namespace.
package struct StoreKeys: Sendable {
    package let namespace: String

    package init(namespace: String) { self.namespace = namespace }

    /// The partition count of this cluster, written once.
    package var partitionCount: String { "\(namespace):partitions" }

    /// The same, beside each partition of a Redis Cluster.
    package func partitionCount(_ partition: Partition) -> String { key(partition, "partitions") }

    private func key(_ partition: Partition, _ suffix: String) -> String {
        "\(namespace):{\(partition.index)}:\(suffix)"
    }

    /// The cluster's audit log, beside its first partition.
    package var audit: String { key(Partition(0), "audit") }

    package func head(_ partition: Partition) -> String { key(partition, "head") }
    package func log(_ partition: Partition) -> String { key(partition, "log") }
    package func revoked(_ partition: Partition) -> String { key(partition, "revoked") }
    package func values(_ partition: Partition) -> String { key(partition, "values") }
    package func nodes(_ partition: Partition) -> String { key(partition, "nodes") }
    package func due(_ partition: Partition) -> String { key(partition, "due") }
    /// The same for each id of the login.
    package func record(_ session: SessionID) -> String { key(session.partition, "s:\(session.family)") }
    package func index(_ user: UserID, in partition: Partition) -> String { key(partition, "u:\(user.text)") }
    /// A login state, by its hash.
    package func loginState(_ hash: String, in partition: Partition) -> String { key(partition, "state:\(hash)") }
    /// What became of a call with an `Idempotency-Key`, by their hash.
    package func idempotency(_ hash: String, in partition: Partition) -> String { key(partition, "call:\(hash)") }
    /// The logins of a user in the window of `rate-limit-issue`.
    package func issueLimit(_ user: UserID, in partition: Partition) -> String { key(partition, "li:\(user.text)") }
    /// The refreshes of a session in the window of `rate-limit-refresh`.
    package func refreshLimit(_ session: SessionID) -> String { key(session.partition, "lr:\(session.family)") }
    /// The failed logins of a user.
    package func failures(of user: UserID, in partition: Partition) -> String { key(partition, "fu:\(user.text)") }
    /// The failed logins from an address, as `NetworkAddress` writes it.
    package func failures(from address: String, in partition: Partition) -> String { key(partition, "fa:\(address)") }
    /// What a script on one session gets: KEYS[6…8].
    package func session(_ session: SessionID, of user: UserID) -> [String] {
        [due(session.partition), index(user, in: session.partition), record(session)]
    }
    /// The index of nobody: a name for scripts whose user is not known; never written.
    package func emptyIndex(_ partition: Partition) -> String { key(partition, "u:") }

    /// Where a partition's events are published.
    package func events(_ partition: Partition) -> String { key(partition, "events") }
    /// Where those who applied an event tell the node that asked.
    package func acknowledgements(_ partition: Partition, to node: NodeID) -> String {
        key(partition, "acks:\(node)")
    }

    /// What every script gets: KEYS[1…5].
    package func common(_ partition: Partition) -> [String] {
        [head(partition), log(partition), revoked(partition), values(partition), nodes(partition)]
    }
}
