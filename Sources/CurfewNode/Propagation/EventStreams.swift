// Who is to hear of a session's end or of a change of permissions, on this node. A signal says only that there may be news: whoever
// hears it looks at the partition's state, so that a signal too many or too few of a flood changes nothing.

import CurfewCore
import Synchronization

/// Why a stream looks.
enum StreamSignal: Sendable {
    /// This event was applied.
    case event(Event)
    /// Something was.
    case look
    /// A while has passed.
    case quiet
    /// The stream's token has run out.
    case expired
}

package final class EventStreams: Sendable {
    /// What a stream is about.
    struct Subject: Sendable {
        let session: SessionID
        let user: UserID
        let tenant: TenantID?
        /// Of its token.
        let expiresAt: WallTime
    }

    /// Signals that wait for one stream. Past it the oldest go: the newest looks at the state for all of them.
    static let maximumSignals = 16
    /// Streams of one session: the oldest ends for one more.
    static let maximumOfSession = 16
    /// Every stream is nudged once in so many seconds, and writes a comment then.
    static let heartbeatSeconds: UInt64 = 15

    private struct Subscriber {
        let subject: Subject
        let signals: AsyncStream<StreamSignal>.Continuation
    }

    private struct State {
        var subscribers: [UInt64: Subscriber] = [:]
        /// By partition's index.
        var inPartition: [UInt16: Set<UInt64>] = [:]
        /// By the session's family.
        var bySession: [SessionID: Set<UInt64>] = [:]
        var byUser: [UserID: Set<UInt64>] = [:]
        var lastNumber: UInt64 = 0
        var seconds: UInt64 = 0
        var isClosed = false
        var maximum: Int
    }

    private let state: Mutex<State>

    /// At most so many at once.
    package init(maximum: Int) { state = Mutex(State(maximum: maximum)) }

    /// From now on at most so many, as the listener has room for; those that there are stay.
    func limit(to maximum: Int) { state.withLock { $0.maximum = maximum } }

    /// Streams that are open.
    package var count: Int { state.withLock { $0.subscribers.count } }

    /// Signals from now on, until whoever reads them stops. Throws `overloaded` where there are as many as there may be.
    func open(_ subject: Subject) throws(ServiceError) -> AsyncStream<StreamSignal> {
        let (stream, signals) = AsyncStream.makeStream(
            of: StreamSignal.self, bufferingPolicy: .bufferingNewest(Self.maximumSignals))
        let (number, oldest) = state.withLock { state -> (UInt64?, Subscriber?) in
            guard !state.isClosed, state.subscribers.count < state.maximum else { return (nil, nil) }
            let others = state.bySession[subject.session.family] ?? []
            let oldest = others.count < Self.maximumOfSession ? nil : others.min().flatMap { state.subscribers[$0] }
            state.lastNumber += 1
            let number = state.lastNumber
            state.subscribers[number] = Subscriber(subject: subject, signals: signals)
            state.inPartition[subject.session.partition.index, default: []].insert(number)
            state.bySession[subject.session.family, default: []].insert(number)
            state.byUser[subject.user, default: []].insert(number)
            return (number, oldest)
        }
        oldest?.signals.finish()
        guard let number else { throw .overloaded(detail: "this node has all the event streams that it may have") }
        signals.onTermination = { [weak self] _ in self?.remove(number) }
        return stream
    }

    /// An event was applied.
    func tell(_ event: Event, in partition: Partition) {
        let concerned = state.withLock { state -> [Subscriber] in
            guard !state.subscribers.isEmpty else { return [] }
            let numbers: Set<UInt64> =
                switch event.change {
                case .sessions(let sessions), .expired(let sessions):
                    sessions.reduce(into: []) { $0.formUnion(state.bySession[$1.family] ?? []) }
                case .superseded(let id, _): state.bySession[id.family] ?? []
                case .user(let user, _), .permissions(let user, _, _): state.byUser[user] ?? []
                case .tenant(let tenant, _):
                    (state.inPartition[partition.index] ?? []).filter {
                        state.subscribers[$0]?.subject.tenant == tenant
                    }
                case .everyone: state.inPartition[partition.index] ?? []
                case .nothing: []
                }
            return numbers.compactMap { state.subscribers[$0] }
        }
        for subscriber in concerned { subscriber.signals.yield(.event(event)) }
    }

    /// A snapshot was loaded, or more was applied than is told one by one.
    func look(in partition: Partition) {
        let concerned = state.withLock { state in
            (state.inPartition[partition.index] ?? []).compactMap { state.subscribers[$0] }
        }
        for subscriber in concerned { subscriber.signals.yield(.look) }
    }

    /// Once a second: who has been quiet for a while, and whose token has run out.
    func tick(now: WallTime) {
        let (quiet, expired) = state.withLock { state -> ([Subscriber], [Subscriber]) in
            state.seconds += 1
            var (quiet, expired): ([Subscriber], [Subscriber]) = ([], [])
            for (number, subscriber) in state.subscribers {
                if subscriber.subject.expiresAt <= now {
                    expired.append(subscriber)
                } else if number % Self.heartbeatSeconds == state.seconds % Self.heartbeatSeconds {
                    quiet.append(subscriber)
                }
            }
            return (quiet, expired)
        }
        for subscriber in quiet { subscriber.signals.yield(.quiet) }
        for subscriber in expired { subscriber.signals.yield(.expired) }
    }

    /// Ends every stream, for good: the node stops.
    package func close() {
        let all = state.withLock { state in
            state.isClosed = true
            return Array(state.subscribers.values)
        }
        for subscriber in all { subscriber.signals.finish() }
    }

    private func remove(_ number: UInt64) {
        state.withLock { state in
            guard let subject = state.subscribers.removeValue(forKey: number)?.subject else { return }
            Self.remove(number, from: &state.inPartition, at: subject.session.partition.index)
            Self.remove(number, from: &state.bySession, at: subject.session.family)
            Self.remove(number, from: &state.byUser, at: subject.user)
        }
    }

    private static func remove<Key>(_ number: UInt64, from index: inout [Key: Set<UInt64>], at key: Key) {
        index[key]?.remove(number)
        if index[key]?.isEmpty == true { index[key] = nil }
    }
}
