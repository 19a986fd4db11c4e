// The rows of `following`: what is heard, what a poll says, what the log has. In every other phase these are late
// answers of a state that is gone, and change nothing (content was applied by the driver already).

extension PartitionFeed {
    mutating func heard(_ event: Event) -> FeedAction {
        switch phase {
        case .disconnected, .loading, .reasserting:
            // The snapshot's head is read first: whatever follows it is in the log, and the first poll reads it there.
            // What is not (a late message of the primary before) must be re-asserted.
            return keepStray(event)
        case .following:
            guard let newest = history?.newest else { preconditionFailure("a followed chain has a history") }
            let position = event.position
            if hasApplied(position) { return .none }
            guard position.seq == newest.seq + 1, event.previous == newest.tag else {
                return keepStray(event) == .loadSnapshot ? .loadSnapshot : .poll
            }
            history?.append(position)
            return .none
        }
    }

    /// 1. A primary logs an event and its message is slow. 2. It fails over to a replica that never had the event.
    /// 3. The message arrives after this node reconciled. Its content is in force here, and nowhere else: so the event
    /// is kept until a poll shows whether the log has it.
    private mutating func keepStray(_ event: Event) -> FeedAction {
        guard strays.count < Self.maximumStrays else {
            hasStraysOverflowed = true
            return phase == .following ? loadAgain() : .none
        }
        strays.append(event)
        return .none
    }

    mutating func eventsReasserted(_ positions: [LogPosition]) -> FeedAction {
        strays.removeAll { positions.contains($0.position) }
        return .none
    }

    mutating func polled(_ reply: PollReply) -> FeedAction {
        switch phase {
        case .disconnected, .loading, .reasserting: return .none
        case .following:
            guard let term, Term(reign: reply.reign, incarnation: reply.incarnation) == term else {
                reign = reply.reign
                return loadAgain()
            }
            switch reply.verdict {
            case .fork, .trimmed: return loadAgain()
            case .same:
                if let catchingUp, catchingUp.sentAt > reply.sentAt { return .none }
                catchingUp = reply
                head = reply.head
                membership.observe(reply.members, at: reply.repliedAt)
                return catchUp()
            }
        }
    }

    mutating func logRead(_ links: [ChainLink]) -> FeedAction {
        switch phase {
        case .disconnected, .loading, .reasserting: return .none
        case .following:
            guard var history else { preconditionFailure("a followed chain has a history") }
            guard catchingUp != nil else { return .none }
            guard let first = links.first, history.contains(first.position) else { return loadAgain() }
            for link in links.dropFirst() where !history.contains(link.position) {
                guard link.position.seq == history.newest.seq + 1, link.previous == history.newest.tag else {
                    return loadAgain()
                }
                history.append(link.position)
            }
            self.history = history
            let next = catchUp()
            // Nothing follows the applied entry although the head is ahead: the log ends before its head. Not this chain.
            if case .readLog = next, links.count == 1 { return loadAgain() }
            return next
        }
    }

    /// Compares what is applied with the head that the last poll named.
    private mutating func catchUp() -> FeedAction {
        guard let reply = catchingUp, let history else { return .none }
        guard history.newest.seq >= reply.head.seq else { return .readLog(from: history.newest) }
        catchingUp = nil
        // Tags, not numbers: a new primary may already have overtaken the old number.
        guard history.contains(reply.head) else { return loadAgain() }
        if watchedSince == nil { watchedSince = reply.repliedAt }
        if reply.sentAt >= newcomerUntil { freshAsOf = max(freshAsOf, reply.sentAt) }
        return settleStrays()
    }

    /// What the log turned out to lack is handed out to be written again, at every poll until it is. (An event that was
    /// heard after this poll was answered may be among them: writing it again changes nothing.)
    private mutating func settleStrays() -> FeedAction {
        guard !strays.isEmpty, let history else { return .none }
        strays.removeAll { history.contains($0.position) }
        return strays.isEmpty ? .none : .reassertEvents(strays)
    }
}
