// All partitions of a node: what each knows and how fresh that is, each behind a lock of its own, so that readers and
// the one writer of a partition meet only there and only for as long as a lookup takes.

import Synchronization

/// One partition: its content and its freshness, which must be read together.
public struct PartitionSlot: Sendable {
    /// What is revoked and what permissions changed.
    public var state: RevocationState
    /// How far the log is followed, and as of when that is known to be all.
    public var feed: PartitionFeed
    /// By when what was to be kept may go.
    public var forgetting = ForgettingClock()
}

/// The partitions of a cluster in one node's memory.
public final class PartitionTable: Sendable {
    /// How many there are.
    public let count: PartitionCount
    private let shards: [Shard]

    /// `count` partitions that know nothing and are not fresh.
    public init(count: PartitionCount, bounds: FeedBounds) {
        self.count = count
        shards = count.all.map { partition in
            Shard(PartitionSlot(state: RevocationState(partition: partition), feed: PartitionFeed(bounds: bounds)))
        }
    }

    /// Calls `body` with a partition of this table while nobody else can see it. Never log, wait or call out inside.
    public func withPartition<Result>(_ partition: Partition, _ body: (inout PartitionSlot) -> Result) -> Result {
        precondition(partition.index < count.value)
        return shards[Int(partition.index)].slot.withLock { slot in body(&slot) }
    }

    /// A mutex has an address, so each needs a home of its own.
    private final class Shard: Sendable {
        let slot: Mutex<PartitionSlot>

        init(_ slot: PartitionSlot) { self.slot = Mutex(slot) }
    }
}
