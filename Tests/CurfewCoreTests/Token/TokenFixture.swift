// A ring with two keys, an everyday token, the partition table that it is judged by, and ways to bend each of them.

import Testing

@testable import CurfewCore

/// What a verdict says, without what it carries.
enum Outcome: Equatable {
    case active, stale
    case refused(TokenRefusal)

    init(_ verdict: Verdict) {
        switch verdict {
        case .active: self = .active
        case .stale: self = .stale
        case .refused(let refusal): self = .refused(refusal)
        }
    }
}

struct TokenFixture {
    static let wall = WallTime(seconds: 1_790_000_000)
    static let boot = BootTime(nanoseconds: 60_000_000_000)

    let key: SigningKey
    let olderKey: SigningKey
    let ring: KeyRing
    let table: PartitionTable
    let claims: Claims

    /// All partitions are fresh as of 12 ms ago.
    init(partitions: Int = 16, user: String = "u_42") throws {
        key = try SigningKey(id: "k1", secret: [UInt8](1...32))
        olderKey = try SigningKey(id: "k0", secret: [UInt8](101...150))
        let count = try #require(PartitionCount(partitions))
        let user = try #require(UserID(user))
        ring = try #require(KeyRing([olderKey, key], issuer: "curfew", audience: "curfew"))
        table = PartitionTable(count: count, bounds: FeedBounds(staleness: .seconds(1)))
        for partition in count.all {
            table.withPartition(partition) { $0.feed.freshAsOf = Self.boot + .milliseconds(-12) }
        }
        claims = Claims(
            issuer: "curfew", audience: "curfew", user: user,
            session: SessionID(
                partition: count.partition(ofUser: user.text.utf8), high: 0x0123_4567_89ab_cdef,
                low: 0xfedc_ba98_7654_3210),
            issuedAt: Self.wall, expiresAt: WallTime(seconds: Self.wall.seconds + 3600), kind: .web, stamp: Stamp(1000),
            device: DeviceID("phone"), tenant: TenantID("acme"),
            permissions: try #require(Permissions(["docs:read", "docs:write"])))
    }

    var partition: Partition { claims.session.partition }

    func verdict(
        _ token: [UInt8], boot: BootTime = Self.boot, wall: WallTime = Self.wall,
        _ look: (Verdict, UnsafeRawBufferPointer) -> Void = { _, _ in }
    ) -> Outcome {
        withUnsafeTemporaryAllocation(byteCount: KeyRing.scratchBytes, alignment: 16) { scratch in
            token.withUnsafeBytes { token in
                let verdict = ring.verdict(on: token, table: table, boot: boot, wall: wall, scratch: scratch)
                look(verdict, UnsafeRawBufferPointer(scratch))
                return Outcome(verdict)
            }
        }
    }

    /// Applies a change to the partition of the fixture's user.
    func apply(_ change: Change, until: WallTime = WallTime(seconds: TokenFixture.wall.seconds + 7200)) {
        table.withPartition(partition) { _ = $0.state.apply(change, until: until, partition: partition) }
    }

    // MARK: - Tokens that this library would not make

    static let header = #"{"alg":"HS256","typ":"session+jwt","kid":"k1"}"#

    /// The members of a good payload, with those in `changes` replaced, or taken out where they are `nil`.
    func payload(_ changes: [String: String?] = [:], appending more: String = "") -> String {
        let members: [(String, String)] = [
            ("iss", #""curfew""#), ("aud", #""curfew""#), ("sub", "\"\(claims.user)\""),
            ("sid", "\"\(claims.session)\""),
            ("iat", "\(claims.issuedAt.seconds)"), ("exp", "\(claims.expiresAt.seconds)"), ("knd", #""web""#),
            ("stp", "1000"), ("did", #""phone""#), ("ten", #""acme""#), ("prm", #"["docs:read","docs:write"]"#),
            ("prv", "0"),
        ]
        let texts = members.compactMap { name, value in
            (changes[name] ?? value).map { "\"\(name)\":\($0)" }
        }
        return "{" + texts.joined(separator: ",") + more + "}"
    }

    func token(header: String = Self.header, _ payload: String, key: SigningKey? = nil) -> [UInt8] {
        token(header: Array(header.utf8), payload: Array(payload.utf8), key: key)
    }

    func token(header: [UInt8], payload: [UInt8], key: SigningKey? = nil) -> [UInt8] {
        sign(base64URL(header) + [UInt8(ascii: ".")] + base64URL(payload), key: key)
    }

    /// The signature of any bytes behind them.
    func sign(_ signed: [UInt8], key: SigningKey? = nil) -> [UInt8] {
        signed + [UInt8(ascii: ".")] + base64URL((key ?? self.key).signer.signature(of: signed))
    }
}

func base64URL(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    Base64URL.encode(bytes, to: &text)
    return text
}

/// `nil` for what is no canonical base64url.
func decodedBase64URL(_ text: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: text.utf8.count + Base64URL.slack)
    let count = bytes.withUnsafeMutableBytes { target in
        Array(text.utf8).withUnsafeBytes { source in
            target.baseAddress.flatMap { Base64URL.decode(source, into: $0)?.count }
        }
    }
    return count.map { Array(bytes.prefix($0)) }
}
