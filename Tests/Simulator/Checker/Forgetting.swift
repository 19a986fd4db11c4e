// Counts what is forgotten because its time is over: a run that forgets nothing says nothing about forgetting.

import CurfewCore

struct Forgetting {
    private(set) var swept = 0
    private(set) var forgotten = 0
    private var stored: [StoredList: Int] = [:]
    private var remembered: [String: Int] = [:]

    private struct StoredList: Hashable {
        let server: Int
        let partition: Partition
    }

    /// After every script: how many entries a Redis has of a partition, and how many things a sweep took away (due sessions, too).
    mutating func executed(on server: Int, _ partition: Partition, entries: Int, taken: Int?) {
        let list = StoredList(server: server, partition: partition)
        if let taken { swept += min(taken, max(0, (stored[list] ?? 0) - entries)) }
        stored[list] = entries
    }

    /// From one sweep of a node to the next its memory only grows, but for what it forgot.
    mutating func remembers(_ node: String, entries: Int) {
        forgotten += max(0, (remembered[node] ?? 0) - entries)
        remembered[node] = entries
    }
}
