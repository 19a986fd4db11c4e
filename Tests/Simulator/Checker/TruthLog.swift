// Every event that any Redis logged, by term: a new term begins with the part of the old log that its data still has.

import CurfewCore

struct TruthLog {
    /// By term and partition, in order; the log's first event is made with the log and stays out.
    private var events: [[Partition: [Event]]] = []
    /// By tag: the term in which it was logged.
    private(set) var termOfTag: [EventTag: Int] = [:]

    /// The data that a term begins with may come from any term before it: its last event says from which.
    mutating func begin(heads: [Partition: LogPosition]) -> [Partition: [Event]] {
        var kept: [Partition: [Event]] = [:]
        for (partition, head) in heads {
            let known = termOfTag[head.tag].flatMap { events[$0][partition] } ?? []
            kept[partition] = known.filter { $0.position.seq <= head.seq }
        }
        events.append(kept)
        return kept
    }

    mutating func append(_ event: Event, in partition: Partition, term: Int) {
        events[term][partition, default: []].append(event)
        termOfTag[event.position.tag] = term
    }

    func events(in partition: Partition, term: Int) -> [Event] { events[term][partition] ?? [] }
}
