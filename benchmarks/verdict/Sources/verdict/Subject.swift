// What is measured: verdicts on everyday tokens, each of another session and user, in partitions that have
// 100,000 tombstones together. Tokens take turns, so that the processor can't learn one by heart.

import CurfewCore

/// Tokens, the state to judge them by, and the memory that judging needs.
struct Subject {
    static let secret = [UInt8](repeating: 0x5a, count: 32)

    /// All of the same length.
    let tokens: [[UInt8]]
    private let ring: KeyRing
    private let table: PartitionTable
    private let wall = WallTime(seconds: 1_790_000_000)
    private let boot = BootTime(nanoseconds: 1_000_000_000)
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: KeyRing.scratchBytes, alignment: 16)

    init?() throws {
        let key = try SigningKey.derived(fromSecret: Self.secret)
        guard let ring = KeyRing([key], issuer: "curfew", audience: "curfew"), let count = PartitionCount(16)
        else { return nil }
        self.ring = ring
        table = PartitionTable(count: count, bounds: FeedBounds(staleness: .seconds(1)))
        let table = table
        let wall = wall
        tokens = try (1000..<1256).map { number in
            try ring.encode(Self.claims(user: "u_\(number)", count: count, ring: ring, at: wall))
        }
        var generator = SystemRandomNumberGenerator()
        for partition in count.all {
            table.withPartition(partition) { slot in
                for _ in 0..<(100_000 / 16) {
                    let id = SessionID(partition: partition, high: generator.next(), low: generator.next())
                    let later = WallTime(seconds: wall.seconds + 100_000)
                    slot.state.apply(.sessions([id]), until: later, partition: partition)
                }
            }
        }
    }

    private static func claims(user: String, count: PartitionCount, ring: KeyRing, at wall: WallTime) -> Claims {
        guard let user = UserID(user), let device = DeviceID("phone"),
            let permissions = Permissions(["docs:read", "docs:write"])
        else { fatalError("these are valid") }
        let session = SessionID(
            partition: count.partition(ofUser: user.text.utf8), high: .random(in: 0 ... .max),
            low: .random(in: 0 ... .max))
        return Claims(
            issuer: ring.issuer, audience: ring.audience, user: user, session: session, issuedAt: wall,
            expiresAt: WallTime(seconds: wall.seconds + 86_400), kind: .web,
            stamp: Stamp(UInt64(wall.seconds) * 1_000_000), device: device, permissions: permissions)
    }

    /// Whether nothing speaks against the token. No feed follows these partitions, so the verdict is `stale`, which costs
    /// the same as `active`: freshness is asked last.
    func judge(_ index: Int) -> Bool {
        tokens[index % tokens.count].withUnsafeBytes { token in
            switch ring.verdict(on: token, table: table, boot: boot, wall: wall, scratch: scratch) {
            case .active, .stale: true
            case .refused: false
            }
        }
    }
}
