// A session in full, and a user's sessions. Always read from Redis: an inventory is for people, and shows what is stored.

import CurfewCore
import CurfewRedis

extension SessionService {
    /// One session; `notFound` where there is none, it ended, or its time is over.
    package func session(_ id: SessionID) async throws(ServiceError) -> SessionView {
        guard id.partition.index < count.value else { throw .notFound(detail: "there is no such session") }
        guard let view = try await record(of: id), isLive(view) else {
            throw .notFound(detail: "there is no such session")
        }
        return view
    }

    /// What Redis has of a session, over or not; `nil` where there is no record.
    func record(of id: SessionID) async throws(ServiceError) -> SessionView? {
        try await read(from: id.partition) { client throws(RedisError) in
            try await views(of: [id], client).first ?? nil
        }
    }

    /// One page of a user's sessions, newest activity first. The cursor is the last session's activity and stamp, so a page
    /// stays where it is while sessions come and go.
    package func sessions(of user: UserID, limit: Int, cursor: String?) async throws(ServiceError) -> SessionPage {
        let after = try cursor.map { text throws(ServiceError) in
            guard let place = InventoryPlace(text) else {
                throw .malformed(detail: "cursor: expected the nextCursor of a page before")
            }
            return place
        }
        let partition = count.partition(ofUser: user.text.utf8)
        let all = try await read(from: partition) { client throws(RedisError) in
            let members = try await client.send(
                RedisCommand("ZRANGE", [RedisArgument(keys.index(user, in: partition)), "0", "-1"]), timeout: nil
            ).array(for: "ZRANGE sessions")
            var sessions: [SessionID] = []
            for member in members {
                if let member = IndexMember(try member.text(for: "ZRANGE sessions")) { sessions.append(member.session) }
            }
            return try await views(of: sessions, client).compactMap(\.self)
        }
        let sorted = all.filter { isLive($0) && $0.user == user }
            .sorted { InventoryPlace($0) < InventoryPlace($1) }
            .drop { view in after.map { InventoryPlace(view) <= $0 } ?? false }
        let page = Array(sorted.prefix(limit))
        return SessionPage(
            sessions: page, nextCursor: sorted.count > limit ? page.last.map { InventoryPlace($0).text } : nil)
    }

    /// Not over, and not ended by anything that this node knows.
    private func isLive(_ view: SessionView) -> Bool {
        let now = clock.wall()
        return view.expiresAt > now && view.idleAt.map { $0 > now } ?? true && knownRefusal(of: view) == nil
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
            }
        }
    }

    /// The record has what was given at issue; a change since then is in memory, as for validate.
    private func withCurrentPermissions(_ view: SessionView) -> SessionView {
        var view = view
        let change = table.withPartition(view.session.partition) { slot in
            slot.state.permissionsChange(of: view.user, after: view.stamp)
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

    init(_ view: SessionView) {
        lastActiveAt = view.lastActiveAt
        stamp = view.stamp
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let seconds = Int64(parts[0]), let stamp = UInt64(parts[1]) else { return nil }
        lastActiveAt = WallTime(seconds: seconds)
        self.stamp = Stamp(stamp)
    }

    var text: String { "\(lastActiveAt.seconds).\(stamp.microseconds)" }

    static func < (one: InventoryPlace, other: InventoryPlace) -> Bool {
        one.lastActiveAt == other.lastActiveAt ? one.stamp > other.stamp : one.lastActiveAt > other.lastActiveAt
    }
}
