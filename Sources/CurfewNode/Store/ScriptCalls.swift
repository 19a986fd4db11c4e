// Script calls as values: which script, which keys, which arguments in which order. The order is the scripts' own header;
// nothing else in the node knows it.

import CurfewCore
import CurfewRedis

/// Builds the calls of one node.
package struct ScriptCalls: Sendable {
    package let keys: StoreKeys
    package let nodeID: NodeID
    /// In `{p}:nodes`: how this node serves when it hears nothing.
    package let habit: ServingHabit
    package let logWindow: Int
    /// The longest token lifetime that this node signs with.
    package let longestTokenLifetime: Int64
    private let random: @Sendable () -> UInt64

    /// `random` makes tags and incarnations.
    package init(
        keys: StoreKeys, nodeID: NodeID, habit: ServingHabit, logWindow: Int, longestTokenLifetime: Int64,
        random: @escaping @Sendable () -> UInt64 = { .random(in: .min ... .max) }
    ) {
        self.random = random
        self.keys = keys
        self.nodeID = nodeID
        self.habit = habit
        self.logWindow = logWindow
        self.longestTokenLifetime = longestTokenLifetime
    }

    /// ARGV[1…9] of every script.
    private func envelope(_ partition: Partition, _ known: Known) -> [String] {
        [
            nodeID.text, String(known.mark.microseconds), String(max(longestTokenLifetime, known.longestTokenLifetime)),
            EventTag(max(1, random())).description, EventTag(max(1, random())).description,
            known.incarnation ?? "", keys.events(partition), String(logWindow),
            known.pubSub.publish,
        ]
    }

    /// What the node's feed knows when it makes a call.
    package struct Known: Sendable {
        package var mark: Stamp
        package var incarnation: String?
        /// The longest token lifetime that anybody is known to have signed with.
        package var longestTokenLifetime: Int64
        /// The replication history (`master_replid`) of the term, once it is settled (`PartitionFeed.isSettled`).
        package var settledHistory: String?
        package var wall: WallTime
        /// How the Redis that has the partition publishes.
        package var pubSub = PubSub.ordinary
    }

    private func call(
        _ script: RedisScript, _ partition: Partition, _ known: Known, keys more: [String] = [], _ arguments: [String]
    ) -> RedisScriptCall {
        RedisScriptCall(
            script, keys: keys.common(partition) + more,
            arguments: (envelope(partition, known) + arguments).map { RedisArgument($0) })
    }

    /// Counts a call under `key`. `name`: of this call, which no other has.
    package func limit(
        _ key: String, _ limit: RateLimit, name: String, in partition: Partition, _ known: Known
    ) -> RedisScriptCall {
        call(
            Scripts.limit, partition, known, keys: [key],
            [String(limit.count), String(limit.window.wholeMilliseconds), name])
    }

    package func open(_ partition: Partition, _ known: Known) -> RedisScriptCall {
        call(Scripts.open, partition, known, [])
    }

    package func poll(_ partition: Partition, _ known: Known, applied: LogPosition) -> RedisScriptCall {
        call(Scripts.poll, partition, known, [String(applied.seq), applied.tag.description, habit.text])
    }

    /// `begunAt`: the mark when the login was begun; a cutoff above it refuses the session. `nil` where nobody says.
    /// `room`: what the user has already, where that is bounded. `replaces`: a session of the same user that ends for it.
    /// `mayBeRepeated`: another attempt of the call may have made it. `limits`: what this login is held to; nothing where it was counted before.
    package func issue(
        _ session: SessionID, user: UserID, device: DeviceID?, tenant: TenantID? = nil, lifetime: SessionLifetime,
        hasRefreshToken: Bool, isKnownDevicesOnly: Bool = false, mayBeRepeated: Bool = true, begunAt: Stamp? = nil,
        room: SessionRoom? = nil,
        replaces: IndexMember? = nil, limits: LoginLimits = LoginLimits(),
        record: [String], _ known: Known
    ) -> RedisScriptCall {
        var options = ChangeOptions()
        options.reason = SessionRoom.reason
        var others = (room?.sessions ?? []).map { (member: $0.member, mark: $0.isLive ? "1" : "0") }
        if let replaces { others.append((replaces, "2")) }
        return call(
            Scripts.issue, session.partition, known,
            keys: keys.session(session, of: user)
                + [keys.failures(of: user, in: session.partition), keys.issueLimit(user, in: session.partition)]
                + others.map { keys.record($0.member.session) },
            head(options, known)
                + [
                    session.family.description, IndexMember(session: session, device: device).text,
                    String(lifetime.seconds),
                    String(lifetime.absoluteSeconds), hasRefreshToken ? "1" : "0", user.text,
                    tenant?.text ?? "", begunAt.map { String($0.microseconds) } ?? "",
                    lifetime.idleSeconds.map { String($0) } ?? "", room.map { String($0.limit.maximum) } ?? "",
                    room?.limit.evictsOldest == true ? "1" : "0", isKnownDevicesOnly ? "1" : "0",
                    limits.maximumFailures.map { String($0) } ?? "", limits.maximumLogins.map { String($0) } ?? "",
                    limits.logins.map { String($0.window.wholeMilliseconds) } ?? "", limits.name,
                    mayBeRepeated ? "1" : "0", String(others.count),
                ] + others.flatMap { [$0.member.session.family.description, $0.member.text, $0.mark] } + record)
    }

    /// `generation` is that of the refresh token; `nil` where the session has none. `fingerprintCode`: a new one; `nil` where it stays.
    package func renew(
        _ session: LivingSession, lifetimeSeconds: Int64, generation: UInt64?, graceMilliseconds: Int64,
        fingerprintCode: String? = nil, _ known: Known
    ) -> RedisScriptCall {
        goOn(
            Scripts.renew, session, reason: RefusalReason.refreshTokenReused.rawValue, lifetimeSeconds,
            [String(generation ?? 0), String(graceMilliseconds), fingerprintCode ?? ""], known)
    }

    /// `reauthenticatedAt`: since when the absolute lifetime counts anew; `nil` where it goes on. `drawn`: by the call's first attempt;
    /// `nil` where it is not repeated. `fields`: of the record.
    package func rotate(
        _ session: LivingSession, lifetime: SessionLifetime, graceMilliseconds: Int64, reauthenticatedAt: WallTime?,
        drawn: UInt64?, permissions: Permissions?, fields: [String], _ known: Known
    ) -> RedisScriptCall {
        goOn(
            Scripts.rotate, session, reason: "rotated", lifetime.seconds,
            [
                String(graceMilliseconds), reauthenticatedAt.map { String($0.seconds) } ?? "",
                String(lifetime.absoluteSeconds), drawn.map { String($0) } ?? "",
                permissions?.names.joined(separator: ",") ?? "", permissions == nil ? "0" : "1",
                session.session.rotated(to: session.session.rotation &- 1).description,
            ] + fields, known)
    }

    /// ARGV[10…20] of renew and rotate.
    private func goOn(
        _ script: RedisScript, _ session: LivingSession, reason: String, _ lifetimeSeconds: Int64,
        _ arguments: [String], _ known: Known
    ) -> RedisScriptCall {
        var options = ChangeOptions()
        options.reason = reason
        let id = session.session
        return call(
            script, id.partition, known, keys: keys.session(id, of: session.user),
            head(options, known) + [
                id.family.description, session.user.text, session.tenant?.text ?? "",
                IndexMember(session: id, device: session.device).text, String(lifetimeSeconds), id.description,
                String(id.rotation),
            ] + arguments)
    }

    package func read(
        _ session: SessionID, user: UserID, tenant: TenantID?, _ known: Known
    ) -> RedisScriptCall {
        call(
            Scripts.read, session.partition, known, keys: [keys.record(session)],
            [
                session.family.description, user.text, tenant?.text ?? "", habit.text, session.description,
                String(session.rotation),
            ])
    }

    /// `fields`: pairs of field and value, an empty one takes the field away.
    package func patch(
        _ session: SessionID, revision: UInt64, fields: [String], _ known: Known
    ) -> RedisScriptCall {
        call(Scripts.patch, session.partition, known, keys: [keys.record(session)], [String(revision)] + fields)
    }

    package func revoke(
        _ target: PartitionTarget, in partition: Partition, options: ChangeOptions, _ known: Known
    ) -> RedisScriptCall {
        let index = target.user.map { keys.index($0, in: partition) } ?? keys.emptyIndex(partition)
        return call(
            Scripts.revoke, partition, known, keys: [keys.due(partition), index] + target.records(keys),
            head(options, known) + target.arguments)
    }

    package func permissions(
        of user: UserID, to permissions: Permissions, in partition: Partition, options: ChangeOptions, _ known: Known
    ) -> RedisScriptCall {
        call(
            Scripts.permissions, partition, known, head(options, known) + [user.text] + permissions.names)
    }

    /// ARGV[10…13] of a change.
    private func head(_ options: ChangeOptions, _ known: Known) -> [String] {
        [
            options.waitsForCluster ? nodeID.text : "-", options.reason, known.settledHistory ?? "",
            String(known.wall.seconds),
        ]
    }

    package func reassert(_ entries: ArraySlice<ReplicatedEntry>, in partition: Partition, _ known: Known)
        -> RedisScriptCall
    {
        var records: [String] = []
        var arguments: [String] = []
        for entry in entries {
            guard let stored = entry.stored else { continue }
            var value = stored.value
            if case .superseded(let id, _) = entry.change {
                records.append(keys.record(id))
                value = String(id.rotation)
            }
            arguments += [stored.member, String(entry.until.seconds), value]
        }
        return call(Scripts.reassert, partition, known, keys: records, arguments)
    }

    /// `used`: sessions of this partition, and how long ago (s) each was used last.
    package func touch(_ used: [(session: SessionID, secondsAgo: Int64)], in partition: Partition, _ known: Known)
        -> RedisScriptCall
    {
        call(
            Scripts.touch, partition, known, keys: [keys.due(partition)] + used.map { keys.record($0.session) },
            used.flatMap { [$0.session.family.description, String($0.secondsAgo)] })
    }

    /// `due`: sessions whose time seems to be over, or that a revoke has ended, each with what its user's index has of it; `nil` where it has no record.
    package func expire(
        _ due: [(session: SessionID, user: UserID?, device: DeviceID?)], in partition: Partition, _ known: Known
    ) -> RedisScriptCall {
        var options = ChangeOptions()
        options.reason = RefusalReason.sessionExpired.rawValue
        return call(
            Scripts.expire, partition, known,
            keys: [keys.due(partition)]
                + due.flatMap { session, user, _ in
                    [keys.record(session), user.map { keys.index($0, in: partition) } ?? keys.emptyIndex(partition)]
                },
            head(options, known)
                + due.flatMap { session, user, device in
                    [
                        session.family.description,
                        user == nil ? "" : IndexMember(session: session, device: device).text,
                    ]
                })
    }

    /// `past`: by when the node forgets; `nil` before it knows.
    package func sweep(
        _ partition: Partition, _ entries: [SweptEntry], wall: WallTime, past: WallTime?, idle: [(NodeID, String)],
        _ known: Known
    ) -> RedisScriptCall {
        call(
            Scripts.sweep, partition, known,
            keys: entries.flatMap { $0.sessions.map { keys.record($0) } },
            [String(wall.seconds), String(past?.seconds ?? 0), String(entries.count)]
                + entries.flatMap { [$0.member, String($0.sessions.count), $0.isAll ? "1" : "0"] }
                + idle.flatMap { [$0.0.text, $0.1] })
    }
}

/// A session that is to go on, by the id that the caller knows.
package struct LivingSession: Sendable {
    package var session: SessionID
    package var user: UserID
    package var device: DeviceID?
    package var tenant: TenantID?

    package init(session: SessionID, user: UserID, device: DeviceID?, tenant: TenantID?) {
        self.session = session
        self.user = user
        self.device = device
        self.tenant = tenant
    }
}

/// How long a session lasts, and how long with every renewal, in seconds.
package struct SessionLifetime: Sendable {
    package var seconds: Int64
    package var absoluteSeconds: Int64
    /// For how long it may be idle, with the slack; `nil` for ever.
    package var idleSeconds: Int64?

    package init(seconds: Int64, absoluteSeconds: Int64, idleSeconds: Int64? = nil) {
        self.seconds = seconds
        self.absoluteSeconds = absoluteSeconds
        self.idleSeconds = idleSeconds
    }
}

/// The sessions of a user who may have only so many.
package struct SessionRoom: Sendable {
    /// Why the oldest ends where a newer one needs its place.
    static let reason = "session_limit"

    package var limit: SessionLimit
    /// Oldest first, as they were read.
    package var sessions: [(member: IndexMember, isLive: Bool)]

    package init(limit: SessionLimit, sessions: [(member: IndexMember, isLive: Bool)]) {
        self.limit = limit
        self.sessions = sessions
    }
}

/// An entry of the revocation list whose time is over, and sessions that it may speak of.
package struct SweptEntry: Sendable, Equatable {
    /// `s:…`, `x:…`, `r:…`, `u:…`, `p:…`, `t:…` or `e`
    package let member: String
    package let sessions: [SessionID]
    /// These are all, or the last of them.
    package let isAll: Bool

    package init(member: String, sessions: [SessionID], isAll: Bool) {
        self.member = member
        self.sessions = sessions
        self.isAll = isAll
    }
}

/// A revoke's target within one partition, as the script takes it.
package enum PartitionTarget: Sendable, Equatable {
    case session(SessionID, user: UserID?, device: DeviceID?)
    case device(UserID, DeviceID)
    case except(UserID, SessionID)
    case user(UserID)
    case tenant(TenantID)
    case everyone

    var user: UserID? {
        switch self {
        case .session(_, let user, _): user
        case .device(let user, _), .except(let user, _), .user(let user): user
        case .tenant, .everyone: nil
        }
    }

    func records(_ keys: StoreKeys) -> [String] {
        if case .session(let session, _, _) = self { [keys.record(session)] } else { [] }
    }

    var arguments: [String] {
        switch self {
        case .session(let session, let user, let device):
            [
                "sessions", session.family.description,
                user == nil ? "" : IndexMember(session: session, device: device).text,
            ]
        case .device(_, let device): ["device", device.text]
        case .except(_, let session): ["except", session.family.description]
        case .user(let user): ["user", user.text]
        case .tenant(let tenant): ["tenant", tenant.text]
        case .everyone: ["everyone"]
        }
    }
}

/// A member of a user's index: the session's first id, a space, and the device id, so that ending a device's sessions needs no
/// record to be read.
package struct IndexMember: Sendable, Equatable {
    package let session: SessionID
    package let device: DeviceID?

    package init(session: SessionID, device: DeviceID?) {
        self.session = session.family
        self.device = device
    }

    package init?(_ text: String) {
        guard let session = SessionID(String(decoding: text.utf8.prefix(28), as: UTF8.self)) else { return nil }
        self.session = session
        device = DeviceID(String(decoding: text.utf8.dropFirst(29), as: UTF8.self))
    }

    package var text: String { "\(session) \(device?.text ?? "")" }

    /// Of an index as ZRANGE gives it.
    static func members(in reply: RedisValue) throws(RedisError) -> [IndexMember] {
        var members: [IndexMember] = []
        for value in try reply.array(for: "ZRANGE sessions") {
            if let member = IndexMember(try value.text(for: "ZRANGE sessions")) { members.append(member) }
        }
        return members
    }
}
