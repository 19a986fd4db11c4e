// What the checker reads of a node's memory, and of a Redis' data.

import CurfewCore
import CurfewNode
import CurfewRedis

extension SimulatedNode {
    /// Whether memory says that this session is over.
    func knowsEnded(_ session: TrackedSession) -> Bool {
        table.withPartition(session.partition) { slot in
            switch slot.state.standing(
                session: session.id, user: session.user, tenant: session.tenant, stamp: session.claims.stamp)
            {
            case .live, .superseded: false
            case .revoked, .expired: true
            }
        }
    }

    func isFresh(_ partition: Partition) -> Bool {
        table.withPartition(partition) { $0.feed.isFresh(at: parts.service.clock.boot()) }
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
            case .expired(let ids): ids.allSatisfy { slot.state.isExpired($0) }
            case .superseded(let id, _): slot.state.isSuperseded(id)
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
}

/// Where a term's data began.
struct InheritedData {
    var heads: [Partition: LogPosition] = [:]
    var marks: [Partition: UInt64] = [:]
    private let data: SimulatedDatabase
    private let keys = StoreKeys(namespace: "curfew")

    init(_ data: SimulatedDatabase, partitions: [Partition]) {
        self.data = data
        for partition in partitions {
            let head = keys.head(partition)
            marks[partition] = data.hashField(head, "mark").flatMap { UInt64($0) } ?? 0
            if let seq = data.hashField(head, "seq").flatMap({ UInt64($0) }),
                let tag = data.hashField(head, "tag").flatMap({ EventTag($0) })
            {
                heads[partition] = LogPosition(seq: seq, tag: tag)
            }
        }
    }

    /// Whether the user's index does.
    func names(_ session: TrackedSession) -> Bool {
        data.hasMember(
            keys.index(session.user, in: session.partition),
            IndexMember(session: session.id, device: session.device).text)
    }
}
