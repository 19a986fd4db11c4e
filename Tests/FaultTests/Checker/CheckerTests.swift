// The checker on histories made by hand: for each invariant some that keep it, as close to the edge as can be, and some that
// break it.

import Testing

@Suite struct CheckerOfBounds {
    @Test("I1: active up to Δ after a revoke returned keeps it, later breaks it")
    func stale() {
        var history = HandMade()
        let session = history.session()
        history.change(.user("u"), 100, 200)
        history.active(session, 1_200, 1_500)
        #expect(history.broken == [])
        history.active(session, 1_201, 1_500)
        #expect(history.broken == [.i1])
    }

    @Test("I1: a revoke that was answered pending counts from its answer")
    func pending() {
        var history = HandMade()
        let session = history.session()
        history.change(.session(session), 100, 200, status: 202, propagation: "pending")
        history.active(session, 500, 510)
        #expect(history.broken == [])
        history.active(session, 1_300, 1_310)
        #expect(history.broken == [.i1])
    }

    @Test("I1: every target that names a session counts, and no other", arguments: [true, false])
    func targets(isNamed: Bool) {
        let named: [Target] = [
            .session(0), .token(0), .user("u"), .others(user: "u", kept: 1), .device(user: "u", device: "phone"),
            .tenant("t"), .everyone,
        ]
        let others: [Target] = [
            .session(1), .token(1), .user("v"), .others(user: "u", kept: 0), .device(user: "u", device: "laptop"),
            .device(user: "v", device: "phone"), .tenant("s"), .permissions(user: "u"),
        ]
        for target in isNamed ? named : others {
            var history = HandMade()
            let session = history.session("u", device: "phone", tenant: "t")
            _ = history.session("v", at: 0, 10)
            history.change(target, 100, 200)
            history.active(session, 2_000, 2_010)
            #expect(history.broken == (isNamed ? [.i1] : []), "\(target)")
        }
    }

    @Test("I2: active after an acknowledged or fenced revoke returned breaks it, during it does not")
    func fenced() {
        for propagation in ["acknowledged", "fenced"] {
            var history = HandMade()
            let session = history.session()
            history.change(.token(session), 100, 200, propagation: propagation)
            history.active(session, 199, 400)
            #expect(history.broken == [])
            history.active(session, 201, 210, node: 2)
            #expect(history.broken == [.i2])
        }
    }

    @Test("I2: an answer that carries the fence of its session's revoke is not active")
    func atLeast() {
        var history = HandMade()
        let session = history.session()
        let revoke = history.change(.session(session), 100, 200)
        history.active(session, 210, 220)
        #expect(history.broken == [])
        history.active(session, 210, 220, atLeast: revoke)
        #expect(history.broken == [.i2])
    }

    @Test("permissions: an older version keeps I1 within Δ, and breaks I1 later, I2 after a fence")
    func permissions() {
        var history = HandMade()
        let session = history.session()
        history.change(.permissions(user: "u"), 100, 200, version: 7)
        history.active(session, 1_100, 1_110, version: 0)
        history.active(session, 1_300, 1_310, version: 7)
        #expect(history.broken == [])
        var late = history
        late.active(session, 1_300, 1_310, version: 6)
        #expect(late.broken == [.i1])
        history.change(.permissions(user: "u"), 1_400, 1_500, propagation: "acknowledged", version: 9)
        history.active(session, 1_501, 1_502, version: 7)
        #expect(history.broken == [.i2])
    }

    @Test("I2: an answer has the permissions of the change that it names, or the login's")
    func permissionNames() {
        var history = HandMade()
        let session = history.session()
        history.active(session, 20, 30, names: ["docs:read"])
        history.change(.permissions(user: "u", names: ["a", "b"]), 100, 200, version: 7)
        history.active(session, 1_300, 1_310, version: 7, names: ["b", "a"])
        #expect(history.broken == [])
        for (version, names) in [(7, ["a"]), (7, ["docs:read"]), (8, ["a", "b"]), (8, [])] {
            var wrong = history
            wrong.active(session, 1_320, 1_330, version: version, names: names)
            #expect(wrong.broken == [.i2], "\(version) \(names)")
        }
        let later = history.session(at: 1_320, 1_330)
        history.active(later, 1_340, 1_350, version: 7, names: ["docs:read"])
        #expect(history.broken == [])
        history.change(.permissions(user: "u", names: ["c"]), 1_400, 1_500, status: 503, code: "redis_unavailable")
        history.active(session, 1_600, 1_610, version: 8, names: ["c"])
        #expect(history.broken == [])
    }

    @Test("I1, I2: a session that was ended, by its own logout too, is not renewed")
    func renewed() {
        for action in [Action.change(.user("u")), .logout(session: 0)] {
            var history = HandMade()
            let session = history.session()
            history.add(100, 200, action, Answer(status: 200, propagation: "published"))
            history.renewal(session, 1_200, 1_210)
            #expect(history.broken == [])
            var late = history
            late.renewal(session, 1_201, 1_210)
            #expect(late.broken == [.i1])
            history.add(1_300, 1_310, action, Answer(status: 200, propagation: "acknowledged"))
            history.renewal(session, 1_311, 1_320)
            #expect(Set(history.broken) == [.i1, .i2])
        }
    }

    @Test("I6: a renewal is refused for a reason only, or where Redis may have lost the record")
    func renewalRefused() {
        var history = HandMade()
        let session = history.session()
        history.renewal(session, 500, 510, refused: "session_not_found")
        #expect(history.broken == [.i6])
        history.loss(100, 400)
        #expect(history.broken == [])
        history.renewal(session, 600, 610, refused: "session_revoked")
        #expect(history.broken == [.i6])
        history.renewal(session, 600, 610, refused: "token_expired")
        #expect(Set(history.broken) == [.i6, .answer])
    }

    @Test("I5: active later than Δ after anybody was told session_revoked breaks it, whatever became of the revoke")
    func resurrected() {
        var history = HandMade()
        let session = history.session()
        history.change(.session(session), 100, 200, status: 503, code: "redis_unavailable")
        history.refused(session, 300, 310)
        history.active(session, 1_310, 1_320, node: 1)
        #expect(history.broken == [])
        history.active(session, 1_311, 1_320, node: 1)
        #expect(history.broken == [.i5])
    }
}

@Suite struct CheckerOfOutcomes {
    @Test("I3: at the last look every node refuses what a revoke ended; 503 is not refused")
    func lastLook() {
        var history = HandMade()
        let session = history.session()
        history.change(.session(session), 100, 200)
        history.refused(session, 5_000, 5_010, isLast: true)
        #expect(history.broken == [])
        var unavailable = history
        unavailable.unavailable(session, 5_000, 5_010, isLast: true)
        #expect(unavailable.broken == [.i3])
        history.active(session, 5_000, 5_010, isLast: true)
        #expect(Set(history.broken) == [.i1, .i3])
    }

    @Test("I6: a session that nothing named is never refused, and active at the last look")
    func refusedForNothing() {
        var history = HandMade()
        let session = history.session()
        _ = history.session("v")
        history.change(.user("v"), 100, 200)
        history.unavailable(session, 300, 310)
        history.active(session, 5_000, 5_010, isLast: true)
        #expect(history.broken == [])
        var unavailable = history
        unavailable.unavailable(session, 5_000, 5_010, isLast: true)
        #expect(unavailable.broken == [.i6])
        history.refused(session, 300, 310)
        #expect(Set(history.broken).isSuperset(of: [.i6]))
    }

    @Test("I6: a session is not refused before its revoke is asked for, nor when it began after that")
    func refusedTooEarly() {
        var early = HandMade()
        let session = early.session()
        early.change(.user("u"), 100, 200)
        early.refused(session, 90, 100)
        #expect(early.broken == [])
        early.refused(session, 80, 99)
        #expect(early.broken == [.i6])
        var late = HandMade()
        late.change(.user("u"), 100, 200)
        let next = late.session(at: 201, 210)
        late.refused(next, 300, 310)
        #expect(late.broken == [.i6])
    }

    @Test("a session that began while its revoke was under way is asserted neither way")
    func concurrent() {
        for isActive in [true, false] {
            var history = HandMade()
            history.change(.user("u"), 100, 200, propagation: "acknowledged")
            let session = history.session(at: 150, 160)
            if isActive {
                history.active(session, 5_000, 5_010, isLast: true)
            } else {
                history.refused(session, 5_000, 5_010, isLast: true)
            }
            #expect(history.broken == [])
        }
    }

    @Test("a change of unknown outcome may come true up to the next settled moment, and not later")
    func unknownOutcome() {
        for status in [503, 0] {
            var history = HandMade()
            let before = history.session()
            history.change(.user("u"), 100, 200, status: status, code: status == 503 ? "redis_unavailable" : nil)
            let meanwhile = history.session(at: 300, 310)
            history.settled(1_000)
            let after = history.session(at: 1_100, 1_110)
            history.active(before, 1_500, 1_510)
            history.refused(before, 3_000, 3_010)
            history.refused(meanwhile, 3_000, 3_010)
            #expect(history.broken == [])
            history.refused(after, 3_000, 3_010)
            #expect(history.broken == [.i6])
        }
    }

    @Test("a change that reached nobody changes nothing")
    func unreachable() {
        var history = HandMade()
        let session = history.session()
        history.change(.user("u"), 100, 200, status: -1)
        history.active(session, 5_000, 5_010)
        #expect(history.broken == [])
        history.refused(session, 5_020, 5_030)
        #expect(history.broken == [.i6])
    }

    @Test("a revoke that reads the index is not held to sessions that Redis may have lost; a cutoff is")
    func lostIndex() {
        for target in [Target.others(user: "u", kept: 9), .device(user: "u", device: "phone"), .user("u")] {
            var history = HandMade()
            let session = history.session("u", device: "phone")
            history.loss(50, 90)
            history.change(target, 100, 200)
            history.active(session, 5_000, 5_010)
            #expect(history.broken == (target == .user("u") ? [.i1] : []), "\(target)")
        }
    }

    @Test("a login while Redis may lose data can fall to an older cutoff; at any other time it can't")
    func olderCutoff() {
        var history = HandMade()
        history.change(.user("u"), 100, 200)
        history.loss(300, 900)
        let exempt = history.session(at: 500, 510)
        let later = history.session(at: 901, 910)
        history.refused(exempt, 1_000, 1_010)
        #expect(history.broken == [])
        history.refused(later, 1_000, 1_010)
        #expect(history.broken == [.i6])
    }

    @Test("strict may miss a record only where Redis may have lost it")
    func missingRecord() {
        var history = HandMade()
        let session = history.session()
        history.refused(session, 500, 510, code: "session_not_found", isStrict: true)
        #expect(history.broken == [.i6])
        history.loss(100, 400)
        #expect(history.broken == [])
    }

    @Test("an answer that the interface does not have is reported")
    func unknownAnswer() {
        for answer in [Answer(status: 500), Answer(status: 401, code: "token_malformed"), Answer(status: 404)] {
            var history = HandMade()
            let session = history.session()
            history.add(20, 30, .change(.session(session)), answer)
            #expect(history.broken == [.answer], "\(answer)")
        }
    }
}
