// What is forgotten when its time is over: tombstones in memory (a bounded number of slots a second), the same in Redis,
// due sessions that are gone, and nodes that stood still for a minute. Every node does it; two at once do no harm.

import CurfewCore
import CurfewRedis
import Logging

extension FeedDriver {
    static let sweepInterval = Duration.seconds(1)
    static let sweepBatchEntries = 500
    static let expirySlotsPerSweep = 10_000
    static let idleNodeRemoval = Duration.seconds(60)

    /// Sweeps until cancelled: every partition in memory each second, one partition in Redis each second.
    package func keepHouse() async {
        var turn = Int.random(in: 0..<partitions.count)
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.sweepInterval)
            let wall = clock.wall()
            for partition in partitions {
                table.withPartition(partition) { slot in
                    // A node whose clock is off forgets nothing: it might forget too early.
                    guard !slot.feed.isClockSkewed else { return }
                    _ = slot.state.expire(now: wall, budget: Self.expirySlotsPerSweep)
                }
            }
            turn = (turn + 1) % partitions.count
            await rememberPartitionCount()
            await sweep(partitions[turn], wall: wall)
        }
    }

    private func sweep(_ partition: Partition, wall: WallTime) async {
        let now = clock.boot()
        let idle = table.withPartition(partition) { slot -> [NodeID: MemberRecord]? in
            guard slot.feed.phase == .following else { return nil }
            return slot.feed.membership.idle(for: Self.idleNodeRemoval, at: now)
        }
        guard let idle else { return }
        let call = calls.sweep(
            partition, wall: wall, batch: Self.sweepBatchEntries, idle: idle.map { ($0.key, $0.value.text) },
            known(partition))
        do {
            _ = try await redis.run(call)
        } catch {
            logger.debug("sweep failed", metadata: ["error": "\(error)"])
        }
    }

    /// Redis may have lost this with everything else; a node of another count must still not start.
    private func rememberPartitionCount() async {
        _ = try? await redis.send(
            RedisCommand(
                "SET", [RedisArgument(calls.keys.partitionCount), RedisArgument(checks.partitionCount), "NX"]))
    }

    /// Leaves the membership in good order. The node has stopped serving before it calls this.
    package func leave() async {
        let node = RedisArgument(calls.nodeID.text)
        let commands = partitions.map { RedisCommand("HDEL", [RedisArgument(calls.keys.nodes($0)), node]) }
        _ = try? await redis.pipeline(commands, timeout: .seconds(1))
    }
}
