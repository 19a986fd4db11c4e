// What nodes hold, apart from what they answer: their chains while they run (I4), and all of them at the end (I3).

import CurfewCore
import CurfewNode

extension Checker {
    /// What a fresh node has applied, up to the head that its last poll named, is in the log of its term's Redis, and in force.
    /// (Before its first poll on a chain, and while it reads the log up to a newer head, it is fresh from what was before: what it reads
    /// then, or hears, may be of the next term already, as the head's tag will tell. Past that head a late message of a lost fork can pass
    /// for the next event until the next poll.)
    func checkChain(_ node: SimulatedNode, _ partition: Partition) {
        let now = node.parts.service.clock.boot()
        let feed = node.table.withPartition(partition) { $0.feed }
        guard feed.isFresh(at: now), feed.watchedSince != nil, feed.catchingUp == nil, let applied = feed.applied,
            let head = feed.head, let term = term(of: node, partition)
        else { return }
        counts.chains += 1
        let events = log.events(in: partition, term: term)
        if let entry = events.last(where: { $0.position.seq == head.seq }), !feed.hasApplied(entry.position) {
            report(
                "I4",
                "\(node.name) has applied \(applied.seq) (\(applied.tag)) of another chain than its Redis' (\(entry.position.tag)) in "
                    + "term \(term)")
        }
        for event in events.suffix(64)
        where event.position.seq <= head.seq && !node.hasInForce(kept(event), in: partition) {
            report("I4", "\(node.name) is at \(head.seq) without event \(event)")
        }
    }

    /// An event that re-asserts sessions says the latest `until` of them: whoever loaded the snapshot has each one's own, and may have
    /// forgotten those whose tokens are over.
    private func kept(_ event: Event) -> Event {
        guard event.reason == "reasserted" else { return event }
        func living(_ ids: [SessionID]) -> [SessionID] {
            ids.filter { id in sessionsByID[id].map { !$0.isOver(at: agenda.wallSeconds) } ?? false }
        }
        let change: Change
        switch event.change {
        case .sessions(let ids): change = .sessions(living(ids))
        case .expired(let ids): change = .expired(living(ids))
        case .superseded, .user, .tenant, .everyone, .permissions, .nothing: return event
        }
        return Event(
            position: event.position, previous: event.previous, asker: event.asker, until: event.until,
            reason: event.reason, change: change)
    }

    /// I3: what one ready node knows, all know.
    func checkAgreement(of nodes: [SimulatedNode]) {
        for session in sessions where !session.isOver(at: agenda.wallSeconds) {
            // Time goes on: one that was idle may have ended a moment ago.
            if let since = truths.last?.endedSince(session), since > agenda.now - bound { continue }
            guard let knowing = nodes.first(where: { $0.knowsEnded(session) }) else { continue }
            for node in nodes where !node.knowsEnded(session) {
                // Nor is every node fresh at every moment, where the network is slow.
                if truths.last?.isExpired(session) == true, !node.isFresh(session.partition) { continue }
                report("I3", "\(node.name) does not know that s\(session.number) has ended, and \(knowing.name) does")
            }
        }
    }

    /// I3: everything that returned is in force on every node that is ready, once the faults are over.
    func checkEverything(on node: SimulatedNode) {
        for change in changes where change.answeredAt != nil {
            for session in sessions where change.ends(session) && !session.isOver(at: agenda.wallSeconds) {
                let term = term(of: node, session.partition)
                guard agenda.now > binding(change, session, term: term, slack: bound) ?? .max else { continue }
                counts.checkedAtEnd += 1
                if !node.knowsEnded(session) {
                    report("I3", "\(node.name) does not know that change #\(change.number) ended s\(session.number)")
                }
            }
        }
    }
}
