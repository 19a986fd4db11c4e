// The poll rounds: at every interval, and whenever something was heard that does not chain, one pipelined round asks Redis
// whether its log has what each feed applied last, and, after that, whose reign it is.
// A round proves freshness as of the moment before it was sent, never of the reply.

import CurfewCore
import CurfewRedis
import Logging
import Synchronization

extension Primary {
    /// Polls until it is cancelled, or told to leave.
    func follow() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                while !Task.isCancelled {
                    try? await driver.surroundings.sleep(for: driver.pollInterval)
                    requestRound()
                }
                stopLoop()
            }
            for await _ in wakeups {
                let work = wanted.withLock { wanted in
                    defer { wanted = Wanted() }
                    return wanted
                }
                guard !work.isLeaving else {
                    await leaveMembership()
                    break
                }
                guard let link = client.connection, let reign = followedReign(on: link) else {
                    // Asked for while the first questions of a connection are still out: nobody else would ask again.
                    wanted.withLock { $0.snapshots.formUnion(work.snapshots) }
                    continue
                }
                for partition in work.snapshots.sorted() { spawn(.loadSnapshot, partition, on: link, in: &group) }
                let id = id(of: link)
                let mine = work.polls.sorted().filter { driver.primary(of: $0) === self }
                // Before anything is polled: what may have been elsewhere must not be made fresh by this very round.
                for partition in mine where isForgotten(partition) { driver.leaveTerm(partition) }
                // A partition that moved here, that Redis refused before, or that was not heard of for too long.
                for partition in mine where !stands(partition, on: id) {
                    group.addTask { [self] in await take(partition, reign, on: link) }
                }
                for (partition, action) in await round(mine, on: link) {
                    spawn(action, partition, on: link, in: &group)
                }
            }
            group.cancelAll()
        }
        hasDeparted.finish()
    }

    private func followedReign(on link: any RedisLink) -> Reign? {
        state.withLock { $0.connection == id(of: link) ? $0.tracker.current : nil }
    }

    private func stands(_ partition: Partition, on id: ConnectionID) -> Bool {
        driver.table.withPartition(partition) { $0.feed.connection == id && $0.feed.phase != .disconnected }
    }

    private func isForgotten(_ partition: Partition) -> Bool {
        isSilent(partition) && driver.table.withPartition(partition) { $0.feed.phase == .following }
    }

    private func take(_ partition: Partition, _ reign: Reign, on link: any RedisLink) async {
        guard state.withLock({ $0.taking.insert(partition).inserted }) else { return }
        defer { state.withLock { _ = $0.taking.remove(partition) } }
        do throws(RedisError) {
            try await adopt(partition, reign, on: link)
        } catch {
            drop(link, partition, error)
        }
    }

    private func spawn(
        _ action: FeedAction, _ partition: Partition, on link: any RedisLink, in group: inout DiscardingTaskGroup
    ) {
        switch action {
        case .none: return
        case .poll, .loadSnapshot, .reassert, .readLog, .reassertEvents:
            group.addTask { [self] in
                do throws(RedisError) {
                    try await attempt(action, in: partition, on: link)
                } catch {
                    drop(link, partition, error)
                }
            }
        }
    }

    /// Whatever stands half done is begun again by the next connection.
    private func drop(_ link: any RedisLink, _ partition: Partition, _ error: RedisError) {
        link.close(reason: "partition \(partition.index): \(error)")
    }

    private func round(_ wantedPartitions: [Partition], on link: any RedisLink) async -> [(Partition, FeedAction)] {
        let id = id(of: link)
        guard let runID = state.withLock({ $0.connection == id ? $0.runID : nil }) else { return [] }
        let polled = wantedPartitions.compactMap { partition in
            pollCall(partition, on: id).map { (partition: partition, call: $0) }
        }
        guard !polled.isEmpty else { return [] }
        let sentAt = driver.clock.boot()
        let wallBefore = driver.clock.wall()
        let replies: [RedisValue]
        let probes = polled.map { WriteProbe.command(driver.calls.keys, $0.partition) }
        do throws(RedisError) {
            replies = try await link.evaluateAll(
                polled.map(\.call), then: [Self.askReign] + probes,
                timeout: min(driver.bounds.staleness, driver.redisTimeout))
        } catch {
            logger.debug("poll failed", metadata: ["error": "\(error)"])
            return []
        }
        let sent = Sent(
            on: id, at: sentAt, repliedAt: driver.clock.boot(), wallBefore: wallBefore,
            wallAfter: driver.clock.wall())
        guard replies.count == 2 * polled.count + 1,
            let reign = reign(in: replies[polled.count], runID: runID, on: link, at: sent.repliedAt)
        else { return [] }
        let answers = polled.indices.map { index in
            (
                polled[index].partition,
                Result { () throws(RedisError) in
                    let answer = try PollAnswer(replies[index])
                    try WriteProbe.verify(replies[polled.count + 1 + index])
                    return answer
                }
            )
        }
        let refused = answers.compactMap { partition, answer in answer.failure.map { (partition, $0) } }
        for (partition, error) in refused { if let redirect = Redirect(error) { redirected(redirect, partition) } }
        warn(refused)
        return answers.compactMap { partition, answer in
            (try? answer.get()).map { (partition, answered($0, sent, reign, in: partition)) }
        }
    }

    /// Polls have ended before: one that came later would enter the node again.
    private func leaveMembership() async {
        let node = RedisArgument(driver.calls.nodeID.text)
        let commands = partitions.map { RedisCommand("HDEL", [RedisArgument(driver.calls.keys.nodes($0)), node]) }
        _ = try? await client.pipeline(commands, timeout: .seconds(1))
    }

    private struct Sent {
        let on: ConnectionID
        let at: BootTime
        let repliedAt: BootTime
        let wallBefore: WallTime
        let wallAfter: WallTime
    }

    private func pollCall(_ partition: Partition, on id: ConnectionID) -> RedisScriptCall? {
        let applied = driver.table.withPartition(partition) { slot in
            slot.feed.phase == .following && slot.feed.connection == id ? slot.feed.applied : nil
        }
        return applied.map { driver.calls.poll(partition, driver.known(partition), applied: $0) }
    }

    /// The reign that this round ran in; `nil` drops the connection.
    private func reign(in reply: RedisValue, runID: String, on link: any RedisLink, at now: BootTime) -> Reign? {
        guard let text = try? reply.text(for: "INFO replication") else {
            link.close(reason: "INFO replication was refused")
            return nil
        }
        let info = RedisInfo(text)
        guard info.role == "master", let sighting = info.sighting(runID: runID) else {
            link.close(reason: "this Redis is no longer a primary")
            return nil
        }
        return state.withLock { $0.tracker.see(sighting, at: now) }
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
        let isCurrent = driver.table.withPartition(partition) { slot in
            slot.feed.see(answer.mark)
            slot.feed.see(tokenLifetime: answer.longestTokenLifetime)
            slot.feed.see(answer.members)
            guard slot.feed.connection == sent.on else { return false }
            slot.feed.redisTime = answer.time
            slot.feed.isClockSkewed = ClockSkew.isTooLarge(
                redis: answer.time, before: sent.wallBefore, after: sent.wallAfter)
            return true
        }
        guard isCurrent else { return .none }
        noteContact(partition, at: sent.at)
        let action = driver.handle(
            .polled(
                PollReply(
                    sentAt: sent.at, repliedAt: sent.repliedAt, reign: reign, incarnation: answer.incarnation,
                    verdict: answer.verdict, head: answer.head, members: answer.members)), from: sent.on,
            in: partition)
        let isFollowed = driver.table.withPartition(partition) { slot in
            slot.feed.phase == .following && slot.feed.connection == sent.on
                && slot.feed.term == Term(reign: reign, incarnation: answer.incarnation)
        }
        if isFollowed, answer.verdict == .same { driver.fences.tell(.observed(answer.members), to: partition) }
        return action
    }

    /// Whether a reply belongs to the reign that the partition's feed follows, by the INFO that was asked for right behind it.
    /// A primary that was demoted and promoted again may keep its connections, and have forgotten.
    /// `over`: the connection that it came over; `nil` for one beside the feed's.
    func isSameReign(
        _ replies: some Sequence<RedisValue>, over connection: ConnectionID?, in partition: Partition
    ) -> Bool {
        let texts = replies.map { try? $0.text(for: "INFO") }
        let info = RedisInfo(texts.map { $0 ?? "" }.joined(separator: "\n"))
        let runID = state.withLock { state in
            connection == nil || connection == state.connection ? state.runID : nil
        }
        guard let runID, info.runID ?? runID == runID, info.role == "master",
            let sighting = info.sighting(runID: runID)
        else { return false }
        let now = driver.clock.boot()
        let reign = state.withLock { $0.tracker.see(sighting, at: now) }
        return driver.table.withPartition(partition) { $0.feed.phase == .following && $0.feed.term?.reign == reign }
    }

    /// Asked for behind a call whose answer counts only in the reign that is followed.
    static var askReign: RedisCommand { RedisCommand("INFO", ["replication"]) }
}

extension Result {
    fileprivate var failure: Failure? {
        switch self {
        case .success: nil
        case .failure(let error): error
        }
    }
}
