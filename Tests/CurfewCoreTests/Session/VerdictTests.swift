// The verdict: its order, its freshness, and that no spelling of an id escapes a cutoff.

import Testing

@testable import CurfewCore

@Suite struct VerdictTests {
    @Test("active while the partition is fresh, stale a nanosecond later")
    func freshness() throws {
        let fixture = try TokenFixture()
        let token = try fixture.ring.encode(fixture.claims)
        #expect(fixture.verdict(token, boot: TokenFixture.boot + .milliseconds(988)) == .active)
        let late = TokenFixture.boot + .milliseconds(988) + .nanoseconds(1)
        #expect(fixture.verdict(token, boot: late) == .stale)
        fixture.table.withPartition(fixture.partition) {
            $0.feed = PartitionFeed(bounds: FeedBounds(staleness: .seconds(1)))
        }
        #expect(fixture.verdict(token) == .stale)
    }

    @Test("a stale partition still refuses what it knows to be revoked, and what is no good anyway")
    func staleRefusals() throws {
        let fixture = try TokenFixture()
        let late = TokenFixture.boot + .seconds(5)
        let token = try fixture.ring.encode(fixture.claims)
        #expect(fixture.verdict(token, boot: late) == .stale)
        #expect(fixture.verdict(Array(token.dropLast()), boot: late) == .refused(.malformed))
        let expiry = fixture.claims.expiresAt
        #expect(fixture.verdict(token, boot: late, wall: WallTime(seconds: expiry.seconds + 10)) == .refused(.expired))
        fixture.apply(.sessions([fixture.claims.session]))
        #expect(fixture.verdict(token, boot: late) == .refused(.revoked))
    }

    @Test("a token lives until its exp and ten seconds more")
    func expiry() throws {
        let fixture = try TokenFixture()
        let token = try fixture.ring.encode(fixture.claims)
        let expiry = fixture.claims.expiresAt.seconds
        #expect(fixture.verdict(token, wall: WallTime(seconds: expiry + 9)) == .active)
        #expect(fixture.verdict(token, wall: WallTime(seconds: expiry + 10)) == .refused(.expired))
        #expect(fixture.verdict(token, wall: WallTime(seconds: .max / 2)) == .refused(.expired))
    }

    @Test("a clock that was set back since the last poll brings nothing back that ran out")
    func clockSetBack() throws {
        let fixture = try TokenFixture()
        let token = try fixture.ring.encode(fixture.claims)
        let bound = PartitionFeed.skewBoundSeconds
        fixture.table.withPartition(fixture.partition) { $0.feed.redisTime = TokenFixture.wall }
        #expect(fixture.verdict(token, wall: WallTime(seconds: TokenFixture.wall.seconds - 1)) == .active)
        fixture.table.withPartition(fixture.partition) {
            $0.feed.redisTime = WallTime(seconds: TokenFixture.wall.seconds + bound)
        }
        #expect(fixture.verdict(token) == .active)
        fixture.table.withPartition(fixture.partition) {
            $0.feed.redisTime = WallTime(seconds: TokenFixture.wall.seconds + bound + 1)
        }
        #expect(fixture.verdict(token) == .stale)
    }

    @Test("expiry is told before revocation, and a bad signature before expiry")
    func order() throws {
        let fixture = try TokenFixture()
        fixture.apply(.sessions([fixture.claims.session]))
        var claims = fixture.claims
        claims.expiresAt = WallTime(seconds: TokenFixture.wall.seconds - 10)
        let token = try fixture.ring.encode(claims)
        #expect(fixture.verdict(token) == .refused(.expired))
        let forged = fixture.token(fixture.payload(["exp": "1"]), key: fixture.olderKey)
        #expect(fixture.verdict(forged) == .refused(.signatureInvalid))
    }

    @Test("an id that was replaced is refused as such once its grace is over")
    func superseded() throws {
        let fixture = try TokenFixture()
        let token = try fixture.ring.encode(fixture.claims)
        var newer = fixture.claims
        newer.session = fixture.claims.session.rotated(to: fixture.claims.session.rotation + 1)
        fixture.apply(.superseded(fixture.claims.session, graceMilliseconds: 0))
        #expect(fixture.verdict(token) == .refused(.superseded))
        #expect(fixture.verdict(try fixture.ring.encode(newer)) == .active)
        fixture.apply(.sessions([fixture.claims.session]))
        #expect(fixture.verdict(token) == .refused(.revoked))
        #expect(fixture.verdict(try fixture.ring.encode(newer)) == .refused(.revoked))
    }

    @Test("each kind of change ends the token that it is about", arguments: ["sessions", "user", "tenant", "everyone"])
    func revoked(kind: String) throws {
        let fixture = try TokenFixture()
        let token = try fixture.ring.encode(fixture.claims)
        let tenant = try #require(fixture.claims.tenant)
        func change(_ stamp: UInt64) -> Change {
            switch kind {
            case "sessions": .sessions([fixture.claims.session])
            case "user": .user(fixture.claims.user, Stamp(stamp))
            case "tenant": .tenant(tenant, Stamp(stamp))
            default: .everyone(Stamp(stamp))
            }
        }
        if kind != "sessions" {
            fixture.apply(change(1000))
            #expect(fixture.verdict(token) == .active, "a cutoff spares its own stamp")
        }
        fixture.apply(change(1001))
        #expect(fixture.verdict(token) == .refused(.revoked))
    }

    @Test("a changed permission comes with the verdict, fresh or stale")
    func permissions() throws {
        let fixture = try TokenFixture()
        let token = try fixture.ring.encode(fixture.claims)
        let permissions = try #require(Permissions(["none:left"]))
        fixture.apply(.permissions(fixture.claims.user, permissions, Stamp(2000)))
        let expected = PermissionsChange(permissions: permissions, stamp: Stamp(2000))
        let fresh = fixture.verdict(token) { verdict, _ in
            if case .active(let active) = verdict { #expect(active.permissionsChange == expected) }
        }
        #expect(fresh == .active)
        let stale = fixture.verdict(token, boot: TokenFixture.boot + .seconds(2)) { verdict, _ in
            guard case .stale(let stale) = verdict else { return }
            #expect(stale.permissionsChange == expected)
            #expect(stale.age == .milliseconds(2012))
        }
        #expect(stale == .stale)
    }

    @Test(
        "an id written with escapes by another library still meets its cutoff",
        arguments: [
            (#"a/b"#, #""a\/b""#), ("u_42", #""\u0075_42""#), ("Åsa", #""\u00c5sa""#), ("😀", #""\ud83d\ude00""#),
            (#"a"b\c"#, #""\u0061\"b\u005c\u0063""#), ("日本", #""\u65E5\u672c""#),
        ])
    func escapedIDs(text: String, json: String) throws {
        let fixture = try TokenFixture(user: text)
        let bySubject = fixture.token(fixture.payload(["sub": json]))
        let byTenant = fixture.token(fixture.payload(["sub": json, "ten": json, "did": json]))
        #expect(fixture.verdict(bySubject) == .active)
        #expect(fixture.verdict(byTenant) == .active)
        fixture.apply(.tenant(try #require(TenantID(text)), Stamp(1001)))
        #expect(fixture.verdict(bySubject) == .active)
        #expect(fixture.verdict(byTenant) == .refused(.revoked))
        fixture.apply(.user(try #require(UserID(text)), Stamp(1001)))
        #expect(fixture.verdict(bySubject) == .refused(.revoked))
    }

    @Test("a session id of a partition where its user does not live is refused, so that no cutoff can be missed")
    func foreignPartition() throws {
        let fixture = try TokenFixture(partitions: 4)
        for index: UInt16 in 0..<1024 {
            var claims = fixture.claims
            claims.session = SessionID(partition: Partition(index), high: 1, low: 2)
            let outcome = fixture.verdict(try fixture.ring.encode(claims))
            #expect(outcome == (claims.session.partition == fixture.partition ? .active : .refused(.malformed)))
        }
    }

    @Test("readers beside one writer see a revocation once it is applied, and never lose it again")
    func concurrency() async throws {
        let fixture = try TokenFixture()
        let tokens = try (0..<64).map { index in
            var claims = fixture.claims
            claims.session = SessionID(partition: fixture.partition, high: UInt64(index), low: 77)
            return try fixture.ring.encode(claims)
        }
        let partition = fixture.partition
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var dead = Set<Int>()
                    var holds = true
                    for round in 0..<60 {
                        for (index, token) in tokens.enumerated() {
                            let outcome = fixture.verdict(token)
                            if outcome == .refused(.revoked) { dead.insert(index) }
                            holds = holds && (outcome == .refused(.revoked)) == dead.contains(index)
                        }
                        if round.isMultiple(of: 8) { await Task.yield() }
                    }
                    return holds
                }
            }
            group.addTask {
                var generator = SeededGenerator(seed: 1)
                for index in 0..<64 {
                    // Noise that makes the set grow and move ids about, and expiry that moves them back.
                    let noise = (0..<100).map { _ in
                        SessionID(partition: partition, high: generator.next(), low: generator.next())
                    }
                    fixture.apply(.sessions(noise), until: WallTime(seconds: TokenFixture.wall.seconds + 1))
                    fixture.apply(.sessions([SessionID(partition: partition, high: UInt64(index), low: 77)]))
                    fixture.table.withPartition(partition) { slot in
                        _ = slot.state.expire(now: WallTime(seconds: TokenFixture.wall.seconds + 1), budget: 200)
                    }
                    await Task.yield()
                }
                return true
            }
            for await holds in group { #expect(holds) }
        }
        for token in tokens { #expect(fixture.verdict(token) == .refused(.revoked)) }
    }
}
