// The replicated state as Redis holds it: a member of `{p}:revoked`, and beside it in `{p}:values` the stamp (of a cutoff)
// or the stamp and the permissions (of a change), separated by tabs. Sessions have no value.

import CurfewCore

extension ReplicatedEntry {
    /// Member and value; `nil` for a change that leaves nothing behind or that names several sessions.
    package var stored: (member: String, value: String)? {
        switch change {
        case .sessions(let ids):
            ids.count == 1 ? ("s:\(ids[0])", "") : nil
        case .expired(let ids):
            ids.count == 1 ? ("x:\(ids[0])", "") : nil
        case .superseded(let id, _): ("r:\(id)", "")
        case .user(let user, let stamp): ("u:\(user.text)", String(stamp.microseconds))
        case .tenant(let tenant, let stamp): ("t:\(tenant.text)", String(stamp.microseconds))
        case .everyone(let stamp): ("e", String(stamp.microseconds))
        case .permissions(let user, let permissions, let stamp):
            ("p:\(user.text)", ([String(stamp.microseconds)] + permissions.names).joined(separator: "\t"))
        case .nothing: nil
        }
    }

    /// Reads what `stored` gives; `nil` for anything else. By bytes: an id may begin with a mark that joins the colon.
    package init?(member: String, value: String, until: WallTime) {
        let kind = String(decoding: member.utf8.prefix(2), as: UTF8.self)
        let subject = String(decoding: member.utf8.dropFirst(2), as: UTF8.self)
        let words = value.split(separator: "\t").map(String.init)
        let stamp = words.first.flatMap { UInt64($0) }.map(Stamp.init)
        let change: Change
        switch kind {
        case "s:":
            guard let session = SessionID(subject) else { return nil }
            change = .sessions([session])
        case "x:":
            guard let session = SessionID(subject) else { return nil }
            change = .expired([session])
        case "r:":
            guard let id = SessionID(subject) else { return nil }
            change = .superseded(id, graceMilliseconds: 0)
        case "u:":
            guard let user = UserID(subject), let stamp else { return nil }
            change = .user(user, stamp)
        case "t:":
            guard let tenant = TenantID(subject), let stamp else { return nil }
            change = .tenant(tenant, stamp)
        case "e":
            guard let stamp else { return nil }
            change = .everyone(stamp)
        case "p:":
            guard let user = UserID(subject), let stamp, let permissions = Permissions(Array(words.dropFirst()))
            else { return nil }
            change = .permissions(user, permissions, stamp)
        default: return nil
        }
        self.init(change: change, until: until)
    }
}

extension Event {
    /// What the event leaves in the replicated state, one subject each.
    package var entries: [ReplicatedEntry] {
        switch change {
        case .sessions(let ids): ids.map { ReplicatedEntry(change: .sessions([$0]), until: until) }
        case .expired(let ids): ids.map { ReplicatedEntry(change: .expired([$0]), until: until) }
        case .nothing: []
        case .superseded(let id, _):
            [ReplicatedEntry(change: .superseded(id, graceMilliseconds: 0), until: until)]
        case .user, .tenant, .everyone, .permissions: [ReplicatedEntry(change: change, until: until)]
        }
    }
}

extension Change {
    /// The stamp of a cutoff or of a permission change.
    package var stamp: Stamp? {
        switch self {
        case .sessions, .expired, .superseded, .nothing: nil
        case .user(_, let stamp), .tenant(_, let stamp), .everyone(let stamp), .permissions(_, _, let stamp): stamp
        }
    }
}
