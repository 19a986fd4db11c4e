// The audit log in Redis: one stream for the whole cluster, with a bound, that operators read at any node. Whoever records waits for
// nobody; a task of its own writes batches, and writes one again until it knows that it is there. So an entry may be there twice: each
// carries its node and number, by which readers pass over what they have seen.

import CurfewCore
import CurfewRedis
import DequeModule
import Logging
import ServiceLifecycle
import Synchronization

/// What waits to be written.
package final class AuditStream: Sendable {
    /// Entries that wait. One more is dropped.
    static let maximumWaiting = 10_000

    struct Waiting: Sendable {
        let number: UInt64
        let entry: AuditEntry
    }

    private let waiting = Mutex<(next: UInt64, entries: Deque<Waiting>)>((1, []))
    private let drops: AuditDrops

    package init(logger: Logger) { drops = AuditDrops(reason: "Redis", logger: logger) }

    var dropped: UInt64 { drops.count }

    func record(_ entry: AuditEntry) {
        let isTaken = waiting.withLock { waiting in
            guard waiting.entries.count < Self.maximumWaiting else { return false }
            waiting.entries.append(Waiting(number: waiting.next, entry: entry))
            waiting.next += 1
            return true
        }
        if !isTaken { drops.add() }
    }

    func first(_ count: Int) -> [Waiting] { waiting.withLock { Array($0.entries.prefix(count)) } }

    /// Those up to this number are there.
    func written(upTo number: UInt64) {
        waiting.withLock { waiting in
            while let first = waiting.entries.first, first.number <= number { waiting.entries.removeFirst() }
        }
    }

    /// Nobody will write what is left.
    func abandon() {
        let count = waiting.withLock { waiting in
            defer { waiting.entries.removeAll() }
            return waiting.entries.count
        }
        for _ in 0..<count { drops.add() }
    }
}

/// Runs as one of the node's services, and ends after those that record.
struct AuditStreamWriter: Service {
    /// Between two batches: how late an entry is at most, while Redis answers.
    static let interval = Duration.milliseconds(100)
    static let batch = 500
    /// How long a node that stops tries to write what is left.
    static let patience = Duration.seconds(1)

    let stream: AuditStream
    let driver: FeedDriver
    let nodeID: NodeID
    /// About so many entries are kept.
    let length: Int

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil { while await write() {} }
        }
        let end = ContinuousClock.now + Self.patience
        while !stream.first(1).isEmpty, ContinuousClock.now < end, !Task.isCancelled {
            if await write() { continue }
            try? await Task.sleep(for: Self.interval / 4)
        }
        stream.abandon()
    }

    /// One batch. `false` where there is none, or where it has to be written again.
    private func write() async -> Bool {
        let batch = stream.first(Self.batch)
        guard let last = batch.last, let client = driver.primary(of: Partition(0))?.client else { return false }
        let call = RedisScriptCall(
            Scripts.audit, keys: [driver.calls.keys.audit],
            arguments: [RedisArgument(length), RedisArgument(nodeID.text)]
                + batch.flatMap { waiting in
                    [RedisArgument(String(waiting.number)), RedisArgument(Array(waiting.entry.line.dropLast()))]
                })
        do throws(RedisError) {
            _ = try await client.run(call)
        } catch {
            return false
        }
        stream.written(upTo: last.number)
        return true
    }
}
