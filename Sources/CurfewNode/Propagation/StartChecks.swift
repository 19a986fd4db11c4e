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

/// Checks one server's INFO and the cluster's partition count.
package final class StartChecks: Sendable {
    package let partitionCount: Int
    private let passed = Mutex(false)
    /// The first failure before anything passed; finishes when something did.
    package let fatal: AsyncStream<StartError>
    private let continuation: AsyncStream<StartError>.Continuation

    package init(partitionCount: Int) {
        self.partitionCount = partitionCount
        (fatal, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// A Redis was found fit for use.
    package var havePassed: Bool { passed.withLock { $0 } }

    /// - Parameter stored: the partition count that Redis has.
    package func verify(_ info: RedisInfo, stored: String) throws(StartError) {
        let error = failure(info, stored: stored)
        let isFirst = passed.withLock { passed in
            defer { if error == nil { passed = true } }
            return !passed
        }
        guard let error else {
            continuation.finish()
            return
        }
        if isFirst { continuation.yield(error) }
        throw error
    }

    private func failure(_ info: RedisInfo, stored: String) -> StartError? {
        if let version = info.version, !RedisInfo.isSupported(version: version) { return .unsupportedVersion(version) }
        if let policy = info.maxmemoryPolicy, RedisInfo.canEvictRevocations(policy: policy) {
            return .evictingPolicy(policy)
        }
        if stored != String(partitionCount) { return .partitionCount(configured: partitionCount, cluster: stored) }
        return nil
    }
}
