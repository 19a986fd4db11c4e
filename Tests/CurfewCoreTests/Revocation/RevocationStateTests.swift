// The join laws of a partition's state: order and repetition do not matter, nothing ever falls, what is past goes.

import Testing

@testable import CurfewCore

@Suite struct RevocationStateTests {
    private static let partition = Partition(3)

    private struct Step {
        var change: Change
        var until: WallTime
    }

    private func session(_ number: Int) -> SessionID {
        SessionID(partition: Self.partition, high: UInt64(number) &* 0x9e37_79b9_7f4a_7c15, low: UInt64(number))
    }

    /// Few subjects, stamps and deadlines, so that equal ones meet often.
    private func randomStep(_ generator: inout SeededGenerator) throws -> Step {
        let number = Int.random(in: 0..<4, using: &generator)
        let stamp = Stamp(.random(in: 1...5, using: &generator))
        let until = WallTime(seconds: .random(in: 100...104, using: &generator))
        let user = try #require(UserID("u\(number)"))
        let change: Change =
            switch Int.random(in: 0..<7, using: &generator) {
            case 0: .sessions((0...number).map { session($0 + Int(stamp.microseconds)) })
            case 1: .user(user, stamp)
            case 2: .tenant(try #require(TenantID("t\(number)")), stamp)
            case 3: .everyone(stamp)
            case 4: .superseded(session(number).rotated(to: UInt32(stamp.microseconds)), graceMilliseconds: 0)
            case 5:
                .permissions(user, try #require(Permissions(["p\(Int.random(in: 0..<3, using: &generator))"])), stamp)
            default: .nothing
            }
        return Step(change: change, until: until)
    }

    private func state(_ steps: [Step]) -> RevocationState {
        var state = RevocationState(partition: Self.partition)
        for step in steps { state.apply(step.change, until: step.until, partition: Self.partition) }
        return state
    }

    private func standing(_ state: RevocationState, _ number: Int, _ user: String, _ tenant: String?, _ stamp: UInt64)
        -> Standing
    {
        Array(user.utf8).withUnsafeBytes { user in
            guard let tenant else {
                return state.standing(session: session(number), user: user, tenant: nil, stamp: Stamp(stamp))
            }
            return Array(tenant.utf8).withUnsafeBytes {
                state.standing(session: session(number), user: user, tenant: $0, stamp: Stamp(stamp))
            }
        }
    }

    @Test("the same changes in any order and any number give the same state", arguments: 0..<200)
    func joins(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let steps = try (0..<30).map { _ in try randomStep(&generator) }
        let expected = Set(state(steps).entries())
        #expect(Set(state(steps.reversed()).entries()) == expected)
        var repeated = steps + steps.shuffled(using: &generator).prefix(10)
        repeated.shuffle(using: &generator)
        #expect(Set(state(repeated).entries()) == expected)
        // What a state says of itself makes the same state, and teaches that one nothing.
        var copy = state(expected.map { Step(change: $0.change, until: $0.until) })
        #expect(Set(copy.entries()) == expected)
        for step in steps {
            let taught = copy.apply(step.change, until: step.until, partition: Self.partition)
            #expect(!taught)
        }
    }

    @Test("apply says whether anything rose")
    func teaches() throws {
        var state = RevocationState(partition: Self.partition)
        func teach(_ change: Change, _ until: Int64) -> Bool {
            state.apply(change, until: WallTime(seconds: until), partition: Self.partition)
        }
        #expect(!teach(.nothing, 10))
        #expect(teach(.sessions([session(1), session(2)]), 10))
        #expect(!teach(.sessions([session(2)]), 10))
        #expect(!teach(.sessions([session(2)]), 9))
        #expect(teach(.sessions([session(2)]), 11))
        #expect(teach(.sessions([session(2), session(3)]), 11))
        #expect(teach(.everyone(Stamp(5)), 10))
        #expect(!teach(.everyone(Stamp(4)), 10))
        #expect(teach(.everyone(Stamp(4)), 11))
        let user = try #require(UserID("u"))
        #expect(teach(.user(user, Stamp(5)), 10))
        #expect(!teach(.user(user, Stamp(5)), 10))
        #expect(teach(.user(user, Stamp(6)), 9))
        #expect(state.sessionCount == 3 && state.subjectCount == 2)
    }

    @Test("a token is dead by its session, its user's, its tenant's or everyone's cutoff, and by no other")
    func standings() throws {
        let user = try #require(UserID("u"))
        let tenant = try #require(TenantID("t"))
        let until = WallTime(seconds: 100)
        let cases: [(Change, dead: [(Int, String, String?, UInt64)], alive: [(Int, String, String?, UInt64)])] = [
            (.sessions([session(1)]), [(1, "u", nil, 99)], [(2, "u", nil, 0), (3, "u", "t", 0)]),
            (
                .user(user, Stamp(5)), [(1, "u", nil, 4), (2, "u", "t", 0)],
                [(1, "u", nil, 5), (1, "u", nil, 6), (1, "U", nil, 4), (1, "u ", nil, 4), (1, "x", "u", 4)]
            ),
            (.tenant(tenant, Stamp(5)), [(1, "u", "t", 4)], [(1, "u", "t", 5), (1, "u", nil, 4), (1, "t", "u", 4)]),
            (.everyone(Stamp(5)), [(1, "u", nil, 4), (2, "x", "y", 0)], [(1, "u", nil, 5)]),
            (.nothing, [], [(1, "u", "t", 0)]),
        ]
        for (change, dead, alive) in cases {
            let state = state([Step(change: change, until: until)])
            for token in dead { #expect(standing(state, token.0, token.1, token.2, token.3) == .revoked) }
            for token in alive { #expect(standing(state, token.0, token.1, token.2, token.3) == .live(nil)) }
        }
    }

    @Test("what ends one id of a login ends all of them, and no other login")
    func family() {
        let (login, other) = (session(1), session(2))
        let ids = [login, login.rotated(to: 1), login.rotated(to: .max)]
        for ended in ids {
            for change in [Change.sessions([ended]), .expired([ended])] {
                let state = state([Step(change: change, until: WallTime(seconds: 100))])
                for id in ids {
                    #expect(state.isRevoked(id) || state.isExpired(id))
                    #expect(id.family == login)
                }
                #expect(!state.isRevoked(other) && !state.isExpired(other.rotated(to: 1)))
            }
        }
    }

    @Test(
        "an id that was replaced is good for its grace, counted from when it certainly still was, and the newer one stays good"
    )
    func superseded() throws {
        let user = try #require(UserID("u"))
        func moment(_ milliseconds: Int64) -> BootTime { BootTime(nanoseconds: milliseconds * 1_000_000) }
        func standing(_ state: RevocationState, _ id: SessionID, _ boot: BootTime?) -> Standing {
            state.standing(session: id, user: user, tenant: nil, stamp: Stamp(1), boot: boot)
        }
        let (old, new) = (session(1), session(1).rotated(to: 1))
        let change = Change.superseded(old, graceMilliseconds: 500)
        var heard = RevocationState(partition: Self.partition)
        heard.apply(change, until: WallTime(seconds: 100), partition: Self.partition, unheardAt: moment(1_000))
        // Heard twice it lasts no longer.
        heard.apply(change, until: WallTime(seconds: 101), partition: Self.partition, unheardAt: moment(1_400))
        #expect(standing(heard, old, moment(1_499)) == .live(nil))
        #expect(standing(heard, old, moment(1_500)) == .superseded)
        #expect(standing(heard, old, nil) == .superseded)
        #expect(standing(heard, new, nil) == .live(nil))
        var loaded = RevocationState(partition: Self.partition)
        loaded.apply(change, until: WallTime(seconds: 100), partition: Self.partition)
        loaded.apply(change, until: WallTime(seconds: 100), partition: Self.partition, unheardAt: moment(1_000))
        #expect(standing(loaded, old, moment(1_001)) == .superseded)
        // Revoked within the grace it is over at once, as is the newer one.
        heard.apply(.sessions([new]), until: WallTime(seconds: 100), partition: Self.partition)
        #expect(standing(heard, old, moment(1_001)) == .revoked && standing(heard, new, nil) == .revoked)
    }

    @Test("graces are bounded: past that many an id is over at once, until others are")
    func graces() throws {
        let user = try #require(UserID("u"))
        var state = RevocationState(partition: Self.partition)
        func replace(_ number: Int, at second: Int64) -> Standing {
            let now = BootTime(nanoseconds: second * 1_000_000_000)
            state.apply(
                .superseded(session(number), graceMilliseconds: 1_000), until: WallTime(seconds: 100),
                partition: Self.partition, unheardAt: now)
            return state.standing(session: session(number), user: user, tenant: nil, stamp: Stamp(1), boot: now)
        }
        for number in 0..<RevocationState.maximumGraces { #expect(replace(number, at: 1) == .live(nil)) }
        #expect(replace(RevocationState.maximumGraces, at: 1) == .superseded)
        #expect(replace(RevocationState.maximumGraces + 1, at: 2) == .live(nil))
    }

    @Test("permissions that changed after the token's stamp come along, the newest of them")
    func permissions() throws {
        let user = try #require(UserID("u"))
        let (older, newer) = (try #require(Permissions(["a"])), try #require(Permissions(["b"])))
        let until = WallTime(seconds: 100)
        let state = state([
            Step(change: .permissions(user, newer, Stamp(7)), until: until),
            Step(change: .permissions(user, older, Stamp(5)), until: until),
        ])
        let change = PermissionsChange(permissions: newer, stamp: Stamp(7))
        #expect(standing(state, 1, "u", nil, 6) == .live(change))
        #expect(standing(state, 1, "u", nil, 7) == .live(nil))
        #expect(standing(state, 1, "v", nil, 6) == .live(nil))
        #expect(state.permissionsChange(of: user, after: Stamp(6)) == change)
        #expect(state.permissionsChange(of: user, after: Stamp(7)) == nil)
    }

    @Test("what is past its last deadline goes, and only that")
    func expiry() throws {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<50 {
            let steps = try (0..<40).map { _ in try randomStep(&generator) }
            var state = state(steps)
            let before = state.entries()
            let now = WallTime(seconds: 102)
            var removed = 0
            for _ in 0..<100 { removed += state.expire(now: now, budget: 5) }
            #expect(Set(state.entries()) == Set(before.filter { $0.until > now }))
            #expect(removed == before.filter { $0.until <= now }.count)
            for _ in 0..<100 { state.expire(now: WallTime(seconds: 104), budget: 5) }
            #expect(state.entries().isEmpty)
            #expect(state.sessionCount == 0 && state.subjectCount == 0)
        }
    }

    @Test("10,000 cutoffs expire in the order of their deadlines")
    func manyCutoffs() throws {
        var generator = SeededGenerator(seed: 12)
        var state = RevocationState(partition: Self.partition)
        for index in 0..<10_000 {
            let user = try #require(UserID("u\(index)"))
            let until = WallTime(seconds: .random(in: 0..<1000, using: &generator))
            state.apply(.user(user, Stamp(1)), until: until, partition: Self.partition)
        }
        for now in stride(from: Int64(0), through: 1000, by: 50) {
            state.expire(now: WallTime(seconds: now), budget: 20_000)
            #expect(state.entries().allSatisfy { $0.until.seconds > now })
        }
        #expect(state.subjectCount == 0)
    }
}
