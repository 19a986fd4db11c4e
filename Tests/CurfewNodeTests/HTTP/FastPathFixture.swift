// A fast path over a partition that is fresh for an hour, and tokens for it: no Redis, no clock that matters.

import CurfewCore
import NIOCore

@testable import CurfewNode

struct FastPathFixture {
    let clock = NodeClock()
    let ring: KeyRing
    let table: PartitionTable
    let path: FastPath
    let metrics = NodeMetrics()
    private let count: PartitionCount

    init(isFresh: Bool = true, configure: (inout NodeConfiguration) -> Void = { _ in }) throws {
        let key = try SigningKey.derived(fromSecret: Array("a secret of at least 32 bytes, for tests".utf8))
        guard let ring = KeyRing([key], issuer: "curfew", audience: "curfew"), let count = PartitionCount(4)
        else {
            throw FixtureError()
        }
        self.ring = ring
        self.count = count
        table = PartitionTable(count: count, bounds: FeedBounds(staleness: .seconds(3600)))
        var configuration = NodeConfiguration()
        configure(&configuration)
        path = FastPath(
            keyRing: CurrentKeyRing(ring), table: table, clock: clock, activity: Activity(count: table.count),
            configuration: configuration, metrics: metrics)
        if isFresh { freshen() }
    }

    struct FixtureError: Error {}

    private func freshen() {
        let now = clock.boot()
        let reign = Reign(runID: "r", replicationID: "r")
        let head = LogPosition(seq: 1, tag: EventTag(1))
        for partition in count.all {
            table.withPartition(partition) { slot in
                _ = slot.feed.handle(.connected(reign))
                _ = slot.feed.handle(
                    .snapshotLoaded(
                        SnapshotHead(position: head, incarnation: "i", readAt: now + .seconds(-7200), age: now),
                        lacked: false))
                _ = slot.feed.handle(
                    .polled(
                        PollReply(
                            sentAt: now, repliedAt: now, reign: reign, incarnation: "i", verdict: .same, head: head)))
            }
        }
    }

    func claims(user: String, device: String? = nil, permissions: [String] = [], age: Int64 = 0) throws -> Claims {
        guard let id = UserID(user), let permissions = Permissions(permissions) else { throw FixtureError() }
        let now = clock.wall().seconds
        return Claims(
            issuer: "curfew", audience: "curfew", user: id,
            session: SessionID(partition: count.partition(ofUser: user.utf8), high: 7, low: 9),
            issuedAt: WallTime(seconds: now - age), expiresAt: WallTime(seconds: now - age + 1000), kind: .web,
            stamp: Stamp(5), device: device.flatMap(DeviceID.init), tenant: nil, permissions: permissions)
    }

    func revoke(_ session: SessionID) {
        table.withPartition(session.partition) { slot in
            _ = slot.state.apply(
                .sessions([session]), until: WallTime(seconds: clock.wall().seconds + 1000),
                partition: session.partition)
        }
    }

    /// What the fast path answers to a head; `nil` where it leaves it to the slow path.
    func answer(_ head: String) throws -> String? {
        let bytes = Array(head.utf8)
        guard case .complete(let facts) = outcome(of: bytes) else { throw FixtureError() }
        var buffer = ByteBuffer()
        let isAnswered = bytes.withUnsafeBytes { bytes in
            path.answer(
                facts, in: bytes, ring: ring, scratch: VerdictScratch.ofThisThread().memory, connection: .silent,
                into: &buffer)
        }
        return isAnswered ? String(buffer: buffer) : nil
    }

    func answer(token: [UInt8]) throws -> String? {
        try answer(
            "GET /v1/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(String(decoding: token, as: UTF8.self))\r\n\r\n"
        )
    }
}
