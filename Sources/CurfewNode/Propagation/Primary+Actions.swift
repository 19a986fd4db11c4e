// What a feed asks for: a snapshot, the entries of the log that it missed, and writing again what Redis lacks.
// All of it goes over the one connection that the feed stands on, never on to the next: half a snapshot of one Redis and
// half of another would prove nothing.

import CurfewCore
import CurfewRedis
import Logging

extension Primary {
    /// Does what the feed asked for, and what it asks for then, until it asks for nothing or for a poll.
    func perform(_ first: FeedAction, in partition: Partition, on link: any RedisLink) async throws(RedisError) {
        let id = id(of: link)
        var action = first
        var lacking: [ReplicatedEntry] = []
        while true {
            switch action {
            case .none: return
            case .poll:
                request(.poll, for: partition)
                return
            case .loadSnapshot:
                let snapshot = try await loadSnapshot(partition, on: link)
                lacking = snapshot.lacking
                action = driver.handle(snapshot.event, from: id, in: partition)
            case .reassert:
                try await reassert(lacking, in: partition, on: link)
                action = driver.handle(.reasserted, from: id, in: partition)
            case .reassertEvents(let events):
                try await reassert(events.flatMap(\.entries), in: partition, on: link)
                action = driver.handle(
                    .eventsReasserted(events.map(\.position)), from: id, in: partition)
            case .readLog(let position):
                action = try await readLog(from: position, in: partition, on: link)
            }
        }
    }

    static let snapshotPageEntries = 1000
    static let reassertBatchEntries = 500
    static let logPageEntries = 500

    private func loadSnapshot(_ partition: Partition, on link: any RedisLink) async throws(RedisError)
        -> (event: FeedEvent, lacking: [ReplicatedEntry])
    {
        // First the head, then its content: what is written in between is in the log behind that head.
        let head = try OpenReply(try await link.run(driver.calls.open(partition, driver.known(partition))))
        let snapshot = SnapshotHead(
            position: head.head, incarnation: head.incarnation, readAt: driver.clock.boot(), age: driver.clock.age())
        let before = driver.table.withPartition(partition) { slot in
            slot.feed.see(head.mark)
            slot.feed.see(tokenLifetime: Int64(head.longestTokenLifetime))
            return slot.state.entries()
        }
        // By bytes: two ids that look the same to a string are two members of the set.
        var stored: [[UInt8]: Stamp] = [:]
        var cursor = "0"
        repeat {
            let page = try await snapshotPage(partition, cursor: &cursor, on: link)
            try whileStanding(partition, on: link) { slot in
                for entry in page { _ = slot.state.apply(entry.change, until: entry.until, partition: partition) }
            }
            if !before.isEmpty {
                for entry in page {
                    if let key = entry.stored { stored[Array(key.member.utf8)] = entry.change.stamp ?? .zero }
                }
            }
        } while cursor != "0"
        let lacking = before.filter { entry in
            guard let key = entry.stored else { return false }
            guard let known = stored[Array(key.member.utf8)] else { return true }
            return (entry.change.stamp ?? .zero) > known
        }
        driver.streams.look(in: partition)
        logger.debug(
            "snapshot loaded",
            metadata: [
                "partition": "\(partition.index)", "seq": "\(head.head.seq)", "lacking": "\(lacking.count)",
            ])
        return (.snapshotLoaded(snapshot, lacked: !lacking.isEmpty), lacking)
    }

    /// 1. A log or a page of a snapshot is read. 2. The connection ends, and the feed reconciles with another Redis. 3. The answer
    /// is looked at. Taken over now, it would be known here and neither in that Redis nor among what is still to be written.
    private func whileStanding(
        _ partition: Partition, on link: any RedisLink, _ apply: (inout PartitionSlot) -> Void
    ) throws(RedisError) {
        let id = id(of: link)
        let isStanding = driver.table.withPartition(partition) { slot in
            guard slot.feed.connection == id, slot.feed.phase != .disconnected else { return false }
            apply(&slot)
            return true
        }
        guard isStanding else { throw .closed(operation: "read", reason: "the partition is followed elsewhere") }
    }

    /// ZSCAN: whatever was there throughout is returned, however the set changes meanwhile.
    private func snapshotPage(_ partition: Partition, cursor: inout String, on link: any RedisLink)
        async throws(RedisError) -> [ReplicatedEntry]
    {
        let reply = try await link.send(
            RedisCommand(
                "ZSCAN",
                [
                    RedisArgument(driver.calls.keys.revoked(partition)), RedisArgument(cursor), "COUNT",
                    RedisArgument(String(Self.snapshotPageEntries)),
                ]), timeout: nil
        ).array(for: "ZSCAN")
        guard reply.count == 2 else { throw .unexpectedReply(operation: "ZSCAN", expected: "cursor and entries") }
        cursor = try reply[0].text(for: "ZSCAN")
        let flat = try reply[1].array(for: "ZSCAN")
        var members: [(name: String, until: WallTime)] = []
        for index in stride(from: 0, to: flat.count - 1, by: 2) {
            guard let until = Double(try flat[index + 1].text(for: "ZSCAN")) else {
                throw .unexpectedReply(operation: "ZSCAN", expected: "a score")
            }
            members.append((try flat[index].text(for: "ZSCAN"), WallTime(seconds: Int64(until))))
        }
        let values = try await values(of: members.map(\.name), in: partition, on: link)
        var entries: [ReplicatedEntry] = []
        for member in members {
            let value = values[Array(member.name.utf8)]
            if let entry = ReplicatedEntry(member: member.name, value: value ?? "", until: member.until) {
                entries.append(entry)
            } else if value != nil || member.until > driver.clock.wall() {
                // Not understood is not skipped: this node does not serve what it can't read. (An entry without its value
                // whose time is over was swept between the two reads.)
                throw .unexpectedReply(operation: "snapshot", expected: "an entry of the revocation list")
            }
        }
        return entries
    }

    private func values(of members: [String], in partition: Partition, on link: any RedisLink)
        async throws(RedisError) -> [[UInt8]: String]
    {
        let named = members.filter { !$0.hasPrefix("s:") }
        guard !named.isEmpty else { return [:] }
        let reply = try await link.send(
            RedisCommand(
                "HMGET", [RedisArgument(driver.calls.keys.values(partition))] + named.map { RedisArgument($0) }),
            timeout: nil
        ).array(for: "HMGET values")
        var values: [[UInt8]: String] = [:]
        for (member, value) in zip(named, reply) where value != .null {
            values[Array(member.utf8)] = try value.text(for: "HMGET values")
        }
        return values
    }

    private func reassert(_ entries: [ReplicatedEntry], in partition: Partition, on link: any RedisLink)
        async throws(RedisError)
    {
        var rest = entries[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Self.reassertBatchEntries)
            rest = rest.dropFirst(Self.reassertBatchEntries)
            _ = try await link.run(driver.calls.reassert(batch, in: partition, driver.known(partition)))
        }
        guard !entries.isEmpty else { return }
        logger.notice(
            "re-asserted what Redis lacked",
            metadata: ["partition": "\(partition.index)", "entries": "\(entries.count)"])
    }

    private func readLog(from position: LogPosition, in partition: Partition, on link: any RedisLink)
        async throws(RedisError) -> FeedAction
    {
        let page = LogPage.command(
            from: position, count: Self.logPageEntries, of: partition, driver.calls.keys)
        let events = try LogPage.events(in: try await link.send(page, timeout: nil))
        try whileStanding(partition, on: link) { slot in
            for event in events { driver.apply(event, to: &slot, in: partition) }
        }
        for event in events { driver.streams.tell(event, in: partition) }
        let action = driver.handle(
            .logRead(events.map { ChainLink(position: $0.position, previous: $0.previous) }), from: id(of: link),
            in: partition)
        driver.acknowledge(events.dropFirst(), in: partition)
        return action
    }
}
