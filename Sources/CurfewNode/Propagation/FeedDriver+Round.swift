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
        guard
            let (generation, runID) = connection.withLock({ state in
                state.generation.flatMap { generation in state.runID.map { (generation, $0) } }
            })
        else { return [] }
        let polled = wantedPartitions.compactMap { partition in
            pollCall(partition).map { (partition: partition, call: $0) }
        }
        guard !polled.isEmpty else { return [] }
        let sentAt = clock.boot()
        let wallBefore = clock.wall()
        let replies: [RedisValue]
        do {
            replies = try await redis.evaluateAll(
                polled.map(\.call), then: [Self.askReign],
                timeout: min(bounds.staleness, redisTimeout))
        } catch {
            logger.debug("poll failed", metadata: ["error": "\(error)"])
            return []
        }
        let sent = Sent(at: sentAt, repliedAt: clock.boot(), wallBefore: wallBefore, wallAfter: clock.wall())
        guard redis.generation == generation, replies.count == polled.count + 1,
            let reign = reign(in: replies[polled.count], runID: runID, at: sent.repliedAt)
        else { return [] }
        let answers = zip(polled, replies).map { polled, reply in
            (polled.partition, Result { () throws(RedisError) in try PollAnswer(reply) })
        }
        warn(answers.compactMap { partition, answer in answer.failure.map { (partition, $0) } })
        return answers.compactMap { partition, answer in
            (try? answer.get()).map { (partition, answered($0, sent, reign, in: partition)) }
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

    /// One line a round, however many partitions it concerns.
    private func warn(_ refused: [(Partition, RedisError)]) {
        guard let (partition, error) = refused.first else { return }
        logger.warning(
            "polls refused",
            metadata: [
                "partitions": "\(refused.count)", "first": "\(partition.index)", "error": "\(error)",
            ])
    }

    private func answered(_ answer: PollAnswer, _ sent: Sent, _ reign: Reign, in partition: Partition) -> FeedAction {
        table.withPartition(partition) { slot in
            slot.feed.see(answer.mark)
            slot.feed.see(tokenLifetime: answer.longestTokenLifetime)
            slot.feed.redisTime = answer.time
            slot.feed.isClockSkewed =
                answer.time.seconds < sent.wallBefore.seconds - Self.skewBoundSeconds
                || answer.time.seconds > sent.wallAfter.seconds + Self.skewBoundSeconds
        }
        let action = handle(
            .polled(
                PollReply(
                    sentAt: sent.at, repliedAt: sent.repliedAt, reign: reign, incarnation: answer.incarnation,
                    verdict: answer.verdict, head: answer.head, members: answer.members)), in: partition)
        let isFollowed = table.withPartition(partition) { slot in
            slot.feed.phase == .following
                && slot.feed.term == Term(reign: reign, incarnation: answer.incarnation)
        }
        if isFollowed, answer.verdict == .same { fences.tell(.observed(answer.members), to: partition) }
        return action
    }

    /// Whether a reply belongs to the reign that the partition's feed follows, by the INFO that was asked for right behind it.
    /// A primary that was demoted and promoted again may keep its connections, and have forgotten.
    func isSameReign(_ replies: some Sequence<RedisValue>, in partition: Partition) -> Bool {
        let texts = replies.map { try? $0.text(for: "INFO") }
        let info = RedisInfo(texts.map { $0 ?? "" }.joined(separator: "\n"))
        guard let runID = connection.withLock({ $0.runID }), info.runID ?? runID == runID, info.role == "master",
            let sighting = info.sighting(runID: runID)
        else { return false }
        let now = clock.boot()
        let reign = connection.withLock { $0.tracker.see(sighting, at: now) }
        return table.withPartition(partition) { $0.feed.phase == .following && $0.feed.term?.reign == reign }
    }

    /// Asked for behind a call whose answer counts only in the reign that is followed.
    static var askReign: RedisCommand { RedisCommand("INFO", ["replication"]) }

    /// A node whose wall clock is further off Redis' TIME fences itself: its idea of expiry is not to be trusted.
    static let skewBoundSeconds: Int64 = 30
}

extension Result {
    fileprivate var failure: Failure? {
        switch self {
        case .success: nil
        case .failure(let error): error
        }
    }
}
