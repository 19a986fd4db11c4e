// When sessions were used last, as this node saw it: collected in memory, where a validation costs one entry of a table, and told to
// Redis in batches. A session goes idle only past its timeout and the slack, and what was seen is told within the slack, so
// nobody who is active is logged out, not even where the node that saw it is gone.

import CurfewCore
import CurfewRedis
import Logging
import Synchronization

/// What was seen and not told yet: one entry a session, a bounded number of them.
final class Activity: Sendable {
    /// Of one partition. Past it the oldest news is told at once, and until then no more is taken in.
    static let maximumPerPartition = 100_000
    /// Sessions that one script writes to.
    static let batch = 200
    /// A tenth of the shortest idle timeout, and at most this.
    static let longestInterval = Duration.seconds(60)

    private let partitions: [Shard]

    init(count: PartitionCount) { partitions = count.all.map { _ in Shard() } }

    /// A session was used at this age of the machine. Returns `false` where there is no room for it.
    @discardableResult
    func note(_ session: SessionID, at now: BootTime) -> Bool {
        let family = session.family
        return partitions[Int(session.partition.index)].seen.withLock { seen in
            // Nearly always it is there; then one look is all.
            if let index = seen.index(forKey: family) {
                seen.values[index] = now
                return true
            }
            guard seen.count < Self.maximumPerPartition else { return false }
            seen[family] = now
            return true
        }
    }

    /// Whether a partition has as much as it may.
    func isFull(_ partition: Partition) -> Bool {
        partitions[Int(partition.index)].seen.withLock { $0.count >= Self.maximumPerPartition }
    }

    /// What was seen of a partition; nothing of it stays.
    fileprivate func take(_ partition: Partition) -> [(session: SessionID, at: BootTime)] {
        let seen = partitions[Int(partition.index)].seen.withLock { seen in
            let taken = seen
            seen = [:]
            return taken
        }
        // In an order of its own, not in that of a table.
        return seen.map { ($0.key, $0.value) }.sorted {
            ($0.session.high, $0.session.low) < ($1.session.high, $1.session.low)
        }
    }

    /// What could not be told, as far as nothing newer was seen and there is room.
    fileprivate func putBack(_ untold: some Sequence<(session: SessionID, at: BootTime)>, _ partition: Partition) {
        partitions[Int(partition.index)].seen.withLock { seen in
            for (session, at) in untold where seen[session] == nil && seen.count < Self.maximumPerPartition {
                seen[session] = at
            }
        }
    }

    /// A mutex has an address, so each needs a home of its own.
    private final class Shard: Sendable {
        let seen = Mutex<[SessionID: BootTime]>([:])
    }
}

extension FeedDriver {
    /// Tells until cancelled: everything once an interval; at the next turn what could not be told, and a partition without more room.
    package func tellActivity() async {
        var last = clock.boot()
        var late: Set<Partition> = []
        while (try? await surroundings.sleep(for: activityTurn)) != nil {
            let isDue = clock.boot() - last >= activityInterval
            if isDue { last = clock.boot() }
            for partition in partitions where isDue || late.contains(partition) || activity.isFull(partition) {
                if await tellActivity(of: partition) { late.remove(partition) } else { late.insert(partition) }
            }
        }
    }

    /// Tells what there is of every partition.
    package func tellAllActivity() async {
        for partition in partitions { _ = await tellActivity(of: partition) }
    }

    /// Whether all of it was told.
    private func tellActivity(of partition: Partition) async -> Bool {
        var untold = activity.take(partition)[...]
        while !untold.isEmpty {
            let part = untold.prefix(Activity.batch)
            let now = clock.age()
            do throws(RedisError) {
                let call = calls.touch(
                    part.map { ($0.session, max(0, (now - $0.at).components.seconds)) }, in: partition, known(partition)
                )
                let replies = try await link(of: partition, for: "touch").link.evaluateAll(
                    [call], then: [], timeout: min(bounds.staleness, redisTimeout))
                for reply in replies { _ = try reply.checked(for: "touch") }
            } catch {
                logger.debug("activity not told yet", metadata: ["error": "\(error)"])
                activity.putBack(untold, partition)
                return false
            }
            untold = untold.dropFirst(part.count)
        }
        return true
    }
}
