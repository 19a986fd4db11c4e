// A session in full, and a user's sessions. Always read from Redis: an inventory is for people, and shows what is stored.

import CurfewCore
import CurfewRedis

extension SessionService {
    /// One session; `notFound` where there is none, it ended, its time is over, or it has a newer id.
    package func session(_ id: SessionID) async throws(ServiceError) -> SessionView {
        let view = try await login(id)
        guard view.session == id else { throw Self.noSuchSession }
        return view
    }

    /// The same by whatever id of it.
    func login(_ id: SessionID) async throws(ServiceError) -> SessionView {
        guard id.partition.index < count.value, let view = try await record(of: id), isLive(view) else {
            throw Self.noSuchSession
        }
        return view
    }

    static let noSuchSession = ServiceError.notFound(detail: "there is no such session")

    /// What Redis has of a session, over or not; `nil` where there is no record.
    func record(of id: SessionID) async throws(ServiceError) -> SessionView? {
        try await read(from: id.partition) { client throws(RedisError) in
            try await views(of: [id], client).first ?? nil
        }
    }

    /// One page of a user's sessions, newest activity first. The cursor is the last session's activity and stamp, so a page
    /// stays where it is while sessions come and go. One that is used meanwhile comes at the end, maybe again, rather than
    /// not at all.
    package func sessions(of user: UserID, limit: Int, cursor: String?) async throws(ServiceError) -> SessionPage {
        let after = try cursor.map { text throws(ServiceError) in
            guard let cursor = InventoryCursor(text) else {
                throw .malformed(detail: "cursor: expected the nextCursor of a page before")
            }
            return cursor
        }
        let partition = count.partition(ofUser: user.text.utf8)
        let all = try await read(from: partition) { client throws(RedisError) in
            let members = try await indexMembers(of: user, client)
            return try await views(of: members.map(\.session), client).compactMap(\.self)
        }
        let live = all.filter { isLive($0) && $0.user == user }
        guard let begunAt = after?.begunAt ?? live.map(\.lastActiveAt).max() else {
            return SessionPage(sessions: [], nextCursor: nil)
        }
        let sorted = live.map { (place: InventoryPlace($0, listedAt: begunAt), view: $0) }
            .sorted { $0.place < $1.place }
            .drop { place, _ in after.map { place <= $0.place } ?? false }
        let page = sorted.prefix(limit)
        let next = page.last.map { InventoryCursor(begunAt: begunAt, place: $0.place).text }
        return SessionPage(sessions: page.map(\.view), nextCursor: sorted.count > limit ? next : nil)
    }

    /// What a user has already, for a login that may be one too many.
    func room(of user: UserID, _ limit: SessionLimit) async throws(ServiceError) -> SessionRoom {
        let partition = count.partition(ofUser: user.text.utf8)
        let found = try await read(from: partition) { client throws(RedisError) in
            let members = try await indexMembers(of: user, client)
            return zip(members, try await views(of: members.map(\.session), client)).map { ($0, $1) }
        }
        // Those without a record are over, or just being written: the script looks.
        let oldestFirst = found.sorted { ($0.1?.stamp ?? .zero) < ($1.1?.stamp ?? .zero) }
        return SessionRoom(limit: limit, sessions: oldestFirst.map { ($0.0, $0.1.map(isLive) ?? false) })
    }

    /// Whether the user has another session that lives, by its record and by what this node knows.
    func hasLivingSession(_ user: UserID, besides session: SessionID) async throws(ServiceError) -> Bool {
        try await read(from: count.partition(ofUser: user.text.utf8)) { client throws(RedisError) in
            let others = try await indexMembers(of: user, client).map(\.session).filter { $0.family != session.family }
            return try await views(of: others, client).contains { view in view.map(isLive) ?? false }
        }
    }

    private func indexMembers(of user: UserID, _ client: RedisClient) async throws(RedisError) -> [IndexMember] {
        let index = RedisArgument(keys.index(user, in: count.partition(ofUser: user.text.utf8)))
        return try IndexMember.members(
            in: try await client.send(RedisCommand("ZRANGE", [index, "0", "-1"]), timeout: nil))
    }

    /// Not over, and not ended by anything that this node knows.
    private func isLive(_ view: SessionView) -> Bool {
        !view.isOver(at: clock.wall()) && knownRefusal(of: view) == nil
    }

    /// Why a session is over by what this node knows, whatever Redis says.
    func knownRefusal(of view: SessionView) -> RefusalReason? {
        table.withPartition(view.session.partition) { slot in
            switch slot.state.standing(
                session: view.session, user: view.user, tenant: view.tenant, stamp: view.stamp)
            {
            case .live: nil
            case .revoked: .sessionRevoked
            case .expired: .sessionExpired
            case .superseded: .sessionSuperseded
            }
        }
    }

    /// The record has what was given at issue, renewal or rotation; a change since then is in memory, as for validate.
    private func withCurrentPermissions(_ view: SessionView) -> SessionView {
        var view = view
        let change = table.withPartition(view.session.partition) { slot in
            slot.state.permissionsChange(of: view.user, after: max(view.stamp, Stamp(view.permissionsVersion)))
        }
        if let change { view.permissions = change.permissions }
        return view
    }

    private static let readsPerPipeline = 200

    private func views(of sessions: [SessionID], _ client: RedisClient) async throws(RedisError) -> [SessionView?] {
        var views: [SessionView?] = []
        for first in stride(from: 0, to: sessions.count, by: Self.readsPerPipeline) {
            let chunk = sessions[first..<min(first + Self.readsPerPipeline, sessions.count)]
            let replies = try await client.pipeline(
                chunk.map { RedisCommand("HGETALL", [RedisArgument(keys.record($0))]) }, timeout: nil)
            for (session, reply) in zip(chunk, replies) {
                views.append(try SessionRecord.view(session, reply).map(withCurrentPermissions))
            }
        }
        return views
    }
}

/// A place in an inventory: newest activity first, and of the same second the session that was issued last.
struct InventoryPlace: Comparable {
    let lastActiveAt: WallTime
    /// No two sessions of a user have the same.
    let stamp: Stamp

    init(lastActiveAt: WallTime, stamp: Stamp) {
        self.lastActiveAt = lastActiveAt
        self.stamp = stamp
    }

    /// What was used since the listing began would jump to where it is past already: it is at the end.
    init(_ view: SessionView, listedAt begunAt: WallTime) {
        lastActiveAt = view.lastActiveAt > begunAt ? WallTime(seconds: 0) : view.lastActiveAt
        stamp = view.stamp
    }

    static func < (one: InventoryPlace, other: InventoryPlace) -> Bool {
        one.lastActiveAt == other.lastActiveAt ? one.stamp > other.stamp : one.lastActiveAt > other.lastActiveAt
    }
}

/// Where the next page of a listing begins.
struct InventoryCursor {
    /// The newest activity when the first page was read.
    let begunAt: WallTime
    /// The last that was listed.
    let place: InventoryPlace

    init(begunAt: WallTime, place: InventoryPlace) {
        self.begunAt = begunAt
        self.place = place
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let begun = Int64(parts[0]), let active = Int64(parts[1]), let stamp = UInt64(parts[2])
        else { return nil }
        begunAt = WallTime(seconds: begun)
        place = InventoryPlace(lastActiveAt: WallTime(seconds: active), stamp: Stamp(stamp))
    }

    var text: String { "\(begunAt.seconds).\(place.lastActiveAt.seconds).\(place.stamp.microseconds)" }
}
