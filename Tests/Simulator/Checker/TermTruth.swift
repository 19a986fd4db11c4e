// What one term's Redis holds: every change in its log, those that its data began with included, and since when. Redis runs one thing
// after the other, so this is exact: what a script does there needs no slack, and a node that follows the term has at most Δ.

import CurfewCore

struct TermTruth {
    private struct Rise {
        let stamp: Stamp
        let at: Int64
    }

    private enum Subject: Hashable {
        case user(UserID)
        case tenant(TenantID, Partition)
        case everyone(Partition)
        case permissions(UserID)
    }

    private var sessions: [SessionID: Int64] = [:]
    private var expired: Set<SessionID> = []
    private var rises: [Subject: [Rise]] = [:]

    mutating func note(_ event: Event, in partition: Partition, at now: Int64) {
        if case .expired(let ids) = event.change { expired.formUnion(ids) }
        switch event.change {
        case .sessions(let ids), .expired(let ids): for id in ids where sessions[id] == nil { sessions[id] = now }
        case .user(let user, let stamp): rise(.user(user), stamp, now)
        case .tenant(let tenant, let stamp): rise(.tenant(tenant, partition), stamp, now)
        case .everyone(let stamp): rise(.everyone(partition), stamp, now)
        case .permissions(let user, _, let stamp): rise(.permissions(user), stamp, now)
        case .superseded, .nothing: break
        }
    }

    private mutating func rise(_ subject: Subject, _ stamp: Stamp, _ now: Int64) {
        rises[subject, default: []].append(Rise(stamp: stamp, at: now))
    }

    /// Whether this log says that nobody used the session.
    func isExpired(_ session: TrackedSession) -> Bool { expired.contains(session.id) }

    /// Since when something in this log ends the session.
    func endedSince(_ session: TrackedSession) -> Int64? {
        var subjects: [Subject] = [.user(session.user), .everyone(session.partition)]
        if let tenant = session.tenant { subjects.append(.tenant(tenant, session.partition)) }
        let cutoffs = subjects.compactMap { since($0) { $0 > session.claims.stamp } }
        return (cutoffs + [sessions[session.id]].compactMap(\.self)).min()
    }

    /// Since when the user's permissions are of this version or newer.
    func permissionsSince(_ user: UserID, version: UInt64) -> Int64? {
        since(.permissions(user)) { $0.microseconds >= version }
    }

    private func since(_ subject: Subject, _ reaches: (Stamp) -> Bool) -> Int64? {
        rises[subject]?.first { reaches($0.stamp) }?.at
    }
}
