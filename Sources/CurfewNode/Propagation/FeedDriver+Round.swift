// The poll rounds: at every interval, and whenever something was heard that does not chain, one pipelined round asks Redis
// whether its log has what each feed applied last, and, after that, whose reign it is.
// A round proves freshness as of the moment before it was sent, never of the reply.

import CurfewCore
import CurfewRedis
import Logging
import Synchronization

extension FeedDriver {
    /// Polls until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: pollInterval)
                    wanted.withLock { $0.polls.formUnion(partitions) }
                    wake.yield()
                }
                wake.finish()
            }
            for await _ in wakeups {
                let work = wanted.withLock { wanted in
                    defer { wanted = Wanted() }
                    return wanted
                }
                for partition in work.snapshots { spawn(.loadSnapshot, partition, in: &group) }
                guard !work.polls.isEmpty else { continue }
                for (partition, action) in await round(work.polls.sorted()) { spawn(action, partition, in: &group) }
            }
            group.cancelAll()
        }
    }

    private func spawn(_ action: FeedAction, _ partition: Partition, in group: inout DiscardingTaskGroup) {
        switch action {
        case .none: return
        case .poll, .loadSnapshot, .reassert, .readLog, .reassertEvents:
            group.addTask { [self] in
                do {
                    try await perform(action, in: partition, on: redis)
                } catch {
                    // Whatever stands half done is begun again by the next connection.
                    redis.drop(reason: "partition \(partition.index): \(error)")
                }
            }
        }
    }

    private func round(_ wantedPartitions: [Partition]) async -> [(Partition, FeedAction)] {
        guard let (generation, runID) = connection.withLock({ state in
            state.generation.flatMap { generation in state.runID.map { (generation, $0) } }
        }) else { return [] }
        let polled = wantedPartitions.compactMap { partition in
            pollCall(partition).map { (partition: partition, call: $0) }
        }
        guard !polled.isEmpty else { return [] }
        let sentAt = clock.boot()
        let wallBefore = clock.wall()
        let replies: [RedisValue]
        do {
            replies = try await redis.evaluateAll(
                polled.map(\.call), then: [RedisCommand("INFO", ["replication"])],
                timeout: min(bounds.staleness, redisTimeout))
        } catch {
            logger.debug("poll failed", metadata: ["error": "\(error)"])
            return []
        }
        let sent = Sent(at: sentAt, repliedAt: clock.boot(), wallBefore: wallBefore, wallAfter: clock.wall())
        guard redis.generation == generation, replies.count == polled.count + 1,
            let reign = reign(in: replies[polled.count], runID: runID, at: sent.repliedAt)
        else { return [] }
        return zip(polled, replies).map { polled, reply in
            (polled.partition, answered(reply, sent, reign, in: polled.partition))
        }
    }

    private struct Sent {
        let at: BootTime
        let repliedAt: BootTime
        let wallBefore: WallTime
        let wallAfter: WallTime
    }

    private func pollCall(_ partition: Partition) -> RedisScriptCall? {
        let applied = table.withPartition(partition) { slot in
            slot.feed.phase == .following ? slot.feed.applied : nil
        }
        return applied.map { calls.poll(partition, known(partition), applied: $0) }
    }

    /// The reign that this round ran in; `nil` drops the connection.
    private func reign(in reply: RedisValue, runID: String, at now: BootTime) -> Reign? {
        guard let text = try? reply.text(for: "INFO replication") else {
            redis.drop(reason: "INFO replication was refused")
            return nil
        }
        let info = RedisInfo(text)
        guard info.role == "master", let sighting = info.sighting(runID: runID) else {
            redis.drop(reason: "this Redis is no longer a primary")
            return nil
        }
        return connection.withLock { $0.tracker.see(sighting, at: now) }
    }

    private func answered(_ reply: RedisValue, _ sent: Sent, _ reign: Reign, in partition: Partition) -> FeedAction {
        let answer: PollAnswer
        do {
            answer = try PollAnswer(reply)
        } catch {
            logger.warning("poll refused", metadata: ["partition": "\(partition.index)", "error": "\(error)"])
            return .none
        }
        table.withPartition(partition) { slot in
            slot.feed.see(answer.mark)
            slot.feed.isClockSkewed =
                answer.time.seconds < sent.wallBefore.seconds - Self.skewBoundSeconds
                || answer.time.seconds > sent.wallAfter.seconds + Self.skewBoundSeconds
        }
        let action = handle(
            .polled(
                PollReply(
                    sentAt: sent.at, repliedAt: sent.repliedAt, reign: reign, incarnation: answer.incarnation,
                    verdict: answer.verdict, head: answer.head, members: answer.members)), in: partition)
        if action != .loadSnapshot { fences.tell(.observed(answer.members), to: partition) }
        return action
    }

    /// A node whose wall clock is further off Redis' TIME fences itself: its idea of expiry is not to be trusted.
    static let skewBoundSeconds: Int64 = 30
}
