// What the checker reads of a node's memory, and of a Redis' data.

import CurfewCore
import CurfewNode
import CurfewRedis

extension SimulatedNode {
    /// Whether memory says that this session is over.
    func knowsRevoked(_ session: TrackedSession) -> Bool {
        let user = Array(session.user.text.utf8)
        let tenant = session.tenant.map { Array($0.text.utf8) }
        return table.withPartition(session.partition) { slot in
            user.withUnsafeBytes { user in
                guard let tenant else {
                    return slot.state.standing(
                        session: session.id, user: user, tenant: nil, stamp: session.claims.stamp) == .revoked
                }
                return tenant.withUnsafeBytes { tenant in
                    slot.state.standing(session: session.id, user: user, tenant: tenant, stamp: session.claims.stamp)
                        == .revoked
                }
            }
        }
    }

    /// How much it remembers.
    var entries: Int {
        table.count.all.reduce(0) { sum, partition in
            sum + table.withPartition(partition) { $0.state.sessionCount + $0.state.subjectCount }
        }
    }

    /// The newest permission change of each user that has one.
    func permissionVersions(of users: Set<UserID>) -> [UserID: UInt64] {
        var versions: [UserID: UInt64] = [:]
        for partition in table.count.all {
            table.withPartition(partition) { slot in
                for user in users {
                    guard let change = slot.state.permissionsChange(of: user, after: .zero) else { continue }
                    versions[user] = max(versions[user] ?? 0, change.stamp.microseconds)
                }
            }
        }
        return versions
    }

    /// Whether what an event says is in force; what may be forgotten counts as if it were.
    func hasInForce(_ event: Event, in partition: Partition) -> Bool {
        guard event.until.seconds > max(process.wallSeconds, process.agenda.wallSeconds) + 60
        else {
            return true
        }
        return table.withPartition(partition) { slot in
            switch event.change {
            case .sessions(let ids): ids.allSatisfy { slot.state.isRevoked($0) }
            case .nothing: true
            case .user, .tenant, .everyone, .permissions:
                // A join of what is there already changes nothing.
                !slot.state.wouldRise(event.change)
            }
        }
    }
}

extension RevocationState {
    /// On a copy: whether the stamps of this change are newer than what is known.
    func wouldRise(_ change: Change) -> Bool {
        var copy = self
        return copy.apply(change, until: WallTime(seconds: .min), partition: partition)
    }
}

extension Claims {
    /// Past its end on some clock that may be wrong by the skew bound.
    func isOver(at wallSeconds: Int64) -> Bool { wallSeconds + 45 >= expiresAt.seconds }
}

extension TrackedSession {
    func isOver(at wallSeconds: Int64) -> Bool { claims.isOver(at: wallSeconds) }

    /// The protocol's documented exception to I6: a login in a term's first moments can be ended by the re-assertion of an older cutoff
    /// that was ahead of the new Redis' clock.
    func isOfYoungTerm(_ deployment: Deployment, _ bound: Int64, _ changes: [TrackedChange]) -> Bool {
        let hasCutoff = changes.contains { change in
            guard case .revoke(let target) = change.kind else { return false }
            return target.isCutoff && change.askedAt < issuedAt
        }
        return hasCutoff
            && deployment.terms.dropFirst().contains { $0.began <= issuedAt && issuedAt < $0.began + 4 * bound }
    }
}

/// What a term's data began with.
struct InheritedData {
    let heads: [Partition: LogPosition]
    let versions: [UserID: UInt64]
    let marks: [Partition: UInt64]
    private var states: [Partition: RevocationState] = [:]

    init(_ data: SimulatedDatabase, partitions: [Partition]) {
        var heads: [Partition: LogPosition] = [:]
        var versions: [UserID: UInt64] = [:]
        var marks: [Partition: UInt64] = [:]
        var states: [Partition: RevocationState] = [:]
        for partition in partitions {
            let store = StoredPartition(data, partition)
            heads[partition] = store.head
            marks[partition] = store.mark
            var state = RevocationState(partition: partition)
            for entry in store.entries {
                state.apply(entry.change, until: entry.until, partition: partition)
                if case .permissions(let user, _, let stamp) = entry.change { versions[user] = stamp.microseconds }
            }
            states[partition] = state
        }
        self.heads = heads
        self.versions = versions
        self.marks = marks
        self.states = states
    }

    func revoked(of sessions: [TrackedSession]) -> Set<Int> {
        var numbers: Set<Int> = []
        for session in sessions {
            guard let state = states[session.partition] else { continue }
            let user = Array(session.user.text.utf8)
            let tenant = session.tenant.map { Array($0.text.utf8) } ?? []
            let isRevoked = user.withUnsafeBytes { user in
                tenant.withUnsafeBytes { tenant in
                    state.standing(
                        session: session.id, user: user, tenant: session.tenant == nil ? nil : tenant,
                        stamp: session.claims.stamp) == .revoked
                }
            }
            if isRevoked { numbers.insert(session.number) }
        }
        return numbers
    }
}

/// One partition as a Redis holds it.
private struct StoredPartition {
    var head: LogPosition?
    var mark: UInt64 = 0
    var entries: [ReplicatedEntry] = []

    init(_ data: SimulatedDatabase, _ partition: Partition) {
        let keys = StoreKeys(namespace: "curfew")
        if let seq = data.hashField(keys.head(partition), "seq").flatMap({ UInt64($0) }),
            let tag = data.hashField(keys.head(partition), "tag").flatMap({ EventTag($0) })
        {
            head = LogPosition(seq: seq, tag: tag)
        }
        mark = data.hashField(keys.head(partition), "mark").flatMap { UInt64($0) } ?? 0
        for (member, score) in data.scoredMembers(keys.revoked(partition)) {
            let value = data.hashField(keys.values(partition), member) ?? ""
            if let entry = ReplicatedEntry(member: member, value: value, until: WallTime(seconds: Int64(score))) {
                entries.append(entry)
            }
        }
    }
}
