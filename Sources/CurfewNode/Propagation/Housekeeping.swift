// What is forgotten when its time is over: tombstones in memory (a bounded number of slots a second), the same in Redis,
// due sessions that are gone, and nodes that stood still for a minute. Every node does it; two at once do no harm.

import CurfewCore
import CurfewRedis
import Logging

extension FeedDriver {
    static let sweepInterval = Duration.seconds(1)
    static let sweepBatchEntries = 500
    /// Every partition is swept once in so many seconds, or oftener.
    static let sweepRoundSeconds = 16
    static let expirySlotsPerSweep = 10_000

    /// Sweeps until cancelled: every partition in memory each second, in Redis a sixteenth of them each second.
    package func keepHouse() async {
        var chance = Chance(surroundings)
        var turn = Int.random(in: partitions.indices, using: &chance)
        while !Task.isCancelled {
            try? await surroundings.sleep(for: Self.sweepInterval)
            let (wall, now) = (clock.wall(), clock.boot())
            for partition in partitions {
                table.withPartition(partition) { slot in forget(&slot, wall: wall, now: now) }
            }
            for primary in allPrimaries { await primary.rememberPartitionCount() }
            for _ in 0..<max(1, partitions.count / Self.sweepRoundSeconds) {
                turn = (turn + 1) % partitions.count
                await sweep(partitions[turn], wall: wall)
            }
        }
    }

    /// Forgets by the earlier of two clocks that agreed within Δ. A tombstone dropped early would un-revoke: a node that is not
    /// fresh, whose clock is off, or that never asked Redis for its time forgets nothing.
    private func forget(_ slot: inout PartitionSlot, wall: WallTime, now: BootTime) {
        guard slot.feed.isFresh(at: now), let redisTime = slot.feed.redisTime else { return }
        _ = slot.state.expire(now: min(wall, redisTime), budget: Self.expirySlotsPerSweep)
    }

    /// A member that stood still for this long is removed: never one that a fence may still have to wait for.
    private var idleNodeRemoval: Duration { max(.seconds(60), (bounds.patience + pollInterval) * 2) }

    private func sweep(_ partition: Partition, wall: WallTime) async {
        let now = clock.boot()
        let idle = table.withPartition(partition) { slot -> [NodeID: MemberRecord]? in
            guard slot.feed.phase == .following else { return nil }
            return slot.feed.membership.idle(for: idleNodeRemoval, at: now)
        }
        guard let idle else { return }
        let call = calls.sweep(
            partition, wall: wall, batch: Self.sweepBatchEntries,
            idle: idle.sorted { $0.key.text < $1.key.text }.map { ($0.key, $0.value.text) },
            known(partition))
        do {
            _ = try await link(of: partition, for: "sweep").link.run(call)
        } catch {
            logger.debug("sweep failed", metadata: ["error": "\(error)"])
        }
    }
}
