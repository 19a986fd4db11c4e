// The floors on histories made by hand: a run that did nothing is no run without violations.

import Testing

@Suite struct FloorTests {
    @Test("a minute in which nothing happened is below every floor, and says each")
    func nothing() {
        let missing = Floors(seconds: 60).missing(in: History(stalenessBound: 1))
        #expect(missing.contains("operations: 0, expected at least 5000 in 60 s"))
        for what in [
            "logins", "revokes of a tenant", "changes of permissions", "changes that were acknowledged",
            "changes that were fenced", "active", "refused", "stale", "faults", "kinds of faults",
            "episodes in which data may be lost",
        ] {
            #expect(missing.contains { $0.hasPrefix("\(what): 0,") }, "\(what)")
        }
    }

    @Test("clients that only look, and a nemesis that only makes one kind of fault, are below the others")
    func onesided() {
        var history = HandMade()
        let session = history.session()
        for _ in 0..<60_000 { history.active(session, 20, 30) }
        var made = history.history
        for _ in 0..<50 {
            made.faults.append(FaultRecord(kind: "BUSY", name: "BUSY", time: Interval(began: 0, ended: 1)))
        }
        let missing = Floors(seconds: 600, faultKinds: ["BUSY", "OOM"]).missing(in: made)
        #expect(!missing.contains { $0.hasPrefix("operations:") || $0.hasPrefix("active:") || $0.hasPrefix("faults:") })
        #expect(missing.contains { $0.hasPrefix("refused: 0,") })
        #expect(missing.contains { $0.hasPrefix("changes that were published: 0,") })
        #expect(missing.contains("fault: OOM: 0, expected at least 1 in 600 s"))
        #expect(!missing.contains { $0.hasPrefix("fault: BUSY:") })
        #expect(missing.contains("kinds of faults: 1, expected at least 4 in 600 s"))
        #expect(missing.contains("errors of Redis: LOADING: 0, expected at least 1 in 600 s"))
        #expect(missing.contains("failovers that lost events: 0, expected at least 1 in 600 s"))
    }
}
