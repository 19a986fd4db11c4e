// What must hold of a Redis before a node trusts it. Found wrong at the first connection, it stops the start with one
// line; found wrong later (another server behind the same name), the connection is refused and the node goes stale.

import CurfewCore
import Synchronization

/// Why a node did not start. `description` is the one line to print.
package enum StartError: Error, Sendable, Equatable, CustomStringConvertible {
    case setting(SettingError)
    case unsupportedVersion(String)
    case evictingPolicy(String)
    case partitionCount(configured: Int, cluster: String)

    package var description: String {
        switch self {
        case .setting(let error): error.description
        case .unsupportedVersion(let version):
            "redis: version \(version), expected Redis 6.2 or newer"
        case .evictingPolicy(let policy):
            "redis: maxmemory-policy \(policy) may evict the revocation list, expected noeviction or a volatile-* policy"
        case .partitionCount(let configured, let cluster):
            "partitions: \(configured), expected \(cluster): this cluster was created with it"
        }
    }
}

/// Checks servers by their INFO, and the cluster's partition count.
package final class StartChecks: Sendable {
    /// What was checked before.
    private struct Passed {
        var hasServer = false
        var partitions: Set<Partition?> = []
    }

    package let partitionCount: Int
    private let passed = Mutex(Passed())
    /// What ends the start: failures of what had not passed before.
    package let fatal: AsyncStream<StartError>
    private let continuation: AsyncStream<StartError>.Continuation

    package init(partitionCount: Int) {
        self.partitionCount = partitionCount
        (fatal, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// A Redis was found fit for use.
    package var havePassed: Bool { passed.withLock { $0.hasServer && !$0.partitions.isEmpty } }

    package func verify(_ info: RedisInfo) throws(StartError) {
        let error = failure(info)
        try conclude(error) { passed in
            defer { if error == nil { passed.hasServer = true } }
            return passed.hasServer
        }
    }

    /// - Parameters:
    ///   - stored: the partition count that Redis has.
    ///   - partition: where it stood, in a Redis Cluster. None of another count passes once: it may be that the first that
    ///     was found did not exist yet.
    package func verify(stored: String, of partition: Partition? = nil) throws(StartError) {
        let error: StartError? =
            stored == String(partitionCount)
            ? nil : .partitionCount(configured: partitionCount, cluster: stored)
        try conclude(error) { passed in
            defer { if error == nil { passed.partitions.insert(partition) } }
            return passed.partitions.contains(partition)
        }
    }

    private func conclude(_ error: StartError?, hasPassed: (inout Passed) -> Bool) throws(StartError) {
        let hasPassed = passed.withLock { hasPassed(&$0) }
        guard let error else { return }
        if !hasPassed { continuation.yield(error) }
        throw error
    }

    private func failure(_ info: RedisInfo) -> StartError? {
        if let version = info.version, !RedisInfo.isSupported(version: version) { return .unsupportedVersion(version) }
        if let policy = info.maxmemoryPolicy, RedisInfo.canEvictRevocations(policy: policy) {
            return .evictingPolicy(policy)
        }
        return nil
    }
}
