// What one partition knows of revocations and permission changes. Join-only: sessions are added, cutoffs and
// permission stamps rise, and what is past its deadline is forgotten. So changes may come twice, late or in any order,
// and the same changes always give the same state (invariants I3 and I5 rest on it).

/// A user's current permissions and when they were given.
public struct PermissionsChange: Hashable, Comparable, Sendable {
    /// All of them, not a difference.
    public let permissions: Permissions
    /// Tokens with a smaller stamp carry outdated ones.
    public let stamp: Stamp

    /// These permissions as of `stamp`.
    public init(permissions: Permissions, stamp: Stamp) {
        self.permissions = permissions
        self.stamp = stamp
    }

    /// By stamp. Stamps are unique, but were they not, every node would still choose the same change.
    public static func < (left: PermissionsChange, right: PermissionsChange) -> Bool {
        left.stamp == right.stamp
            ? left.permissions.json.lexicographicallyPrecedes(right.permissions.json) : left.stamp < right.stamp
    }
}

/// How a token stands with a partition's state.
public enum Standing: Equatable, Sendable {
    /// Nothing that is known here revokes it. Permissions that changed after its stamp come along.
    case live(PermissionsChange?)
    /// Its session, user, tenant or everyone was revoked.
    case revoked
    /// Its session was idle for too long.
    case expired
    /// Its session has a newer id, and the grace is over.
    case superseded
}

/// One entry of the replicated state, as Redis holds it: one subject, and when it may be forgotten.
public struct ReplicatedEntry: Hashable, Sendable {
    /// About one session, user or tenant, or about everyone.
    public let change: Change
    /// When it may be forgotten.
    public let until: WallTime

    /// The entry.
    public init(change: Change, until: WallTime) {
        self.change = change
        self.until = until
    }
}

/// The replicated state of one partition. A value without a lock: `PartitionTable` has it.
public struct RevocationState: Sendable {
    /// Whose state this is.
    public let partition: Partition

    private var sessions = RevocationSet()
    /// Ended because nobody used them.
    private var expired = RevocationSet()
    /// Ids that were replaced: the very ids, where the other two have the family's.
    private var superseded = RevocationSet()
    /// Until when some of them are good all the same.
    private var graces: [SessionID: BootTime] = [:]
    /// Ids in their grace. Past it there is none for more.
    static let maximumGraces = 4_096
    private var users = SubjectTable<Stamp>()
    private var tenants = SubjectTable<Stamp>()
    private var permissions = SubjectTable<PermissionsChange>()
    private var everyone: (cutoff: Stamp, until: WallTime)?

    /// Nothing is revoked.
    public init(partition: Partition) { self.partition = partition }

    /// How many sessions are ended one by one.
    public var sessionCount: Int { sessions.count + expired.count + superseded.count }
    /// How many cutoffs and permission changes there are.
    public var subjectCount: Int { users.count + tenants.count + permissions.count + (everyone == nil ? 0 : 1) }
    /// What the ended sessions take.
    public var sessionMemoryBytes: Int { sessions.memoryBytes + expired.memoryBytes + superseded.memoryBytes }

    /// Joins a change of this partition, to be kept at least until `until`. Returns whether anything rose: `false`
    /// means that the state had all of it, and as long. `unheardAt`: when it certainly had not been made yet, where that is
    /// known: a grace counts from then, and what is learned from a snapshot has none.
    @discardableResult
    public mutating func apply(
        _ change: Change, until: WallTime, partition: Partition, unheardAt: BootTime? = nil
    ) -> Bool {
        precondition(partition == self.partition, "a change belongs to the partition that logged it")
        switch change {
        case .sessions(let ids):
            return ids.reduce(false) { sessions.join($1.family, until: until) || $0 }
        case .expired(let ids):
            return ids.reduce(false) { expired.join($1.family, until: until) || $0 }
        case .superseded(let id, let grace):
            if let unheardAt, !isSuperseded(id) { letPass(id, for: .milliseconds(grace), from: unheardAt) }
            return superseded.join(id, until: until)
        case .user(let user, let cutoff):
            return users.join(user.text, cutoff, until: until)
        case .tenant(let tenant, let cutoff):
            return tenants.join(tenant.text, cutoff, until: until)
        case .everyone(let cutoff):
            guard let known = everyone else {
                everyone = (cutoff, until)
                return true
            }
            everyone = (max(known.cutoff, cutoff), max(known.until, until))
            return cutoff > known.cutoff || until > known.until
        case .permissions(let user, let permissions, let stamp):
            let change = PermissionsChange(permissions: permissions, stamp: stamp)
            return self.permissions.join(user.text, change, until: until)
        case .nothing:
            return false
        }
    }

    private mutating func letPass(_ id: SessionID, for grace: Duration, from start: BootTime) {
        if graces.count >= Self.maximumGraces { graces = graces.filter { $0.value > start } }
        guard grace > .zero, graces.count < Self.maximumGraces else { return }
        graces[id] = start + grace
    }

    /// How a token stands that names this session, user and tenant (their own bytes, without JSON's escapes), has this stamp,
    /// and reflects permission changes up to `permissionsVersion`. `boot`: now, where the grace of an id that was replaced counts.
    /// Allocates nothing.
    public func standing(
        session: SessionID, user: UnsafeRawBufferPointer, tenant: UnsafeRawBufferPointer?, stamp: Stamp,
        permissionsVersion: UInt64 = 0, boot: BootTime? = nil
    ) -> Standing {
        if isRevoked(session) { return .revoked }
        if let everyone, stamp < everyone.cutoff { return .revoked }
        if let cutoff = users.value(of: user), stamp < cutoff { return .revoked }
        if let tenant, let cutoff = tenants.value(of: tenant), stamp < cutoff { return .revoked }
        if isExpired(session) { return .expired }
        if isSuperseded(session) {
            guard let boot, let end = graces[session], boot < end else { return .superseded }
        }
        guard let change = permissions.value(of: user), max(stamp, Stamp(permissionsVersion)) < change.stamp else {
            return .live(nil)
        }
        return .live(change)
    }

    /// The same by the ids themselves, off the hot path.
    public func standing(
        session: SessionID, user: UserID, tenant: TenantID?, stamp: Stamp, permissionsVersion: UInt64 = 0,
        boot: BootTime? = nil
    ) -> Standing {
        var (userText, tenantText) = (user.text, tenant?.text ?? "")
        return userText.withUTF8 { user in
            tenantText.withUTF8 { bytes in
                standing(
                    session: session, user: UnsafeRawBufferPointer(user),
                    tenant: tenant == nil ? nil : UnsafeRawBufferPointer(bytes), stamp: stamp,
                    permissionsVersion: permissionsVersion, boot: boot)
            }
        }
    }

    /// The user's permissions, if they changed after `stamp` as far as is known here.
    public func permissionsChange(of user: UserID, after stamp: Stamp) -> PermissionsChange? {
        var text = user.text
        guard let change = text.withUTF8({ permissions.value(of: UnsafeRawBufferPointer($0)) }) else { return nil }
        return stamp < change.stamp ? change : nil
    }

    /// Whether this very session was revoked, by whatever id of it.
    public func isRevoked(_ session: SessionID) -> Bool { sessions.contains(session.family) }

    /// Whether this very session ended because nobody used it.
    public func isExpired(_ session: SessionID) -> Bool { expired.contains(session.family) }

    /// Whether this id was replaced, in its grace or after it.
    public func isSuperseded(_ id: SessionID) -> Bool { superseded.contains(id) }

    /// Forgets what may be forgotten by `now`, examining at most about `budget` slots and as many subjects of each
    /// kind. Returns how many entries went.
    @discardableResult
    public mutating func expire(now: WallTime, budget: Int) -> Int {
        var removed = sessions.expire(now: now, budget: budget)
        removed += expired.expire(now: now, budget: budget)
        removed += superseded.expire(now: now, budget: budget)
        removed += users.expire(now: now, budget: budget)
        removed += tenants.expire(now: now, budget: budget)
        removed += permissions.expire(now: now, budget: budget)
        if let known = everyone, known.until <= now {
            everyone = nil
            removed += 1
        }
        return removed
    }

    /// All entries, one subject each, for re-assertion.
    public func entries() -> [ReplicatedEntry] {
        var entries: [ReplicatedEntry] = []
        entries.reserveCapacity(sessionCount + subjectCount)
        sessions.forEach { high, low, until in
            let id = SessionID(partition: partition, high: high, low: low)
            entries.append(ReplicatedEntry(change: .sessions([id]), until: until))
        }
        expired.forEach { high, low, until in
            let id = SessionID(partition: partition, high: high, low: low)
            entries.append(ReplicatedEntry(change: .expired([id]), until: until))
        }
        superseded.forEach { high, low, until in
            let id = SessionID(partition: partition, high: high, low: low)
            entries.append(ReplicatedEntry(change: .superseded(id, graceMilliseconds: 0), until: until))
        }
        users.forEach { text, cutoff, until in
            if let user = UserID(text) { entries.append(ReplicatedEntry(change: .user(user, cutoff), until: until)) }
        }
        tenants.forEach { text, cutoff, until in
            guard let tenant = TenantID(text) else { return }
            entries.append(ReplicatedEntry(change: .tenant(tenant, cutoff), until: until))
        }
        permissions.forEach { text, change, until in
            guard let user = UserID(text) else { return }
            let change = Change.permissions(user, change.permissions, change.stamp)
            entries.append(ReplicatedEntry(change: change, until: until))
        }
        if let everyone { entries.append(ReplicatedEntry(change: .everyone(everyone.cutoff), until: everyone.until)) }
        return entries
    }
}

extension RevocationSet {
    @inline(__always)
    fileprivate func contains(_ id: SessionID) -> Bool { contains(high: id.high, low: id.low) }

    /// Whether anything rose.
    fileprivate mutating func join(_ session: SessionID, until: WallTime) -> Bool {
        let known = self.until(high: session.high, low: session.low)
        guard known.map({ $0 < until }) ?? true else { return false }
        insert(high: session.high, low: session.low, until: until)
        return true
    }
}
