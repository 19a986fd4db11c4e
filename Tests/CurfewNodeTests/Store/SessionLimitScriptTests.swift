// A user's room for sessions, on a real Redis: what the script does where the node has read too little, or what is over.

import CurfewCore
import CurfewRedis
import Testing

@testable import CurfewNode

private typealias Bench = ScriptBench

@Suite("A limited number of sessions in Redis") struct SessionLimitScriptTests {
    private typealias Outcome = Result<IssueReply, IssueReply.Refusal>

    private func issue(
        _ low: UInt64, maximum: Int, evicts: Bool, read: [(SessionID, Bool)], _ bench: Bench
    ) async throws -> Outcome {
        let user = try #require(UserID(Bench.user))
        let room = SessionRoom(
            limit: SessionLimit(maximum: maximum, evictsOldest: evicts),
            sessions: read.map { (IndexMember(session: $0.0, device: nil), $0.1) })
        let call = bench.calls.issue(
            SessionID(partition: Bench.partition, high: 7, low: low), user: user, device: nil,
            lifetime: SessionLifetime(seconds: 1000, absoluteSeconds: 10_000), hasRefreshToken: false, room: room,
            record: SessionRecord.fields(of: IssueRequest(user: user)), bench.known(nil))
        return try IssueReply.result(try await bench.redis.run(call))
    }

    private func refusal(_ outcome: Outcome) -> IssueReply.Refusal? {
        if case .failure(let refusal) = outcome { refusal } else { nil }
    }

    @Test("sessions that the node has not read count, and are never the ones that end")
    func unread() async throws {
        try await Bench.run { bench in
            let (first, _) = try await bench.issue(1)
            let (second, _) = try await bench.issue(2)
            #expect(refusal(try await issue(3, maximum: 2, evicts: false, read: [], bench)) == .changed)
            #expect(refusal(try await issue(3, maximum: 2, evicts: false, read: [(first, true)], bench)) == .changed)
            #expect(
                refusal(
                    try await issue(3, maximum: 2, evicts: false, read: [(first, true), (second, true)], bench))
                    == .full)
            #expect(refusal(try await issue(3, maximum: 1, evicts: true, read: [(first, true)], bench)) == .changed)
            let reply = try await issue(3, maximum: 2, evicts: true, read: [(first, true)], bench).get()
            #expect(reply.events.map(\.change) == [.sessions([first])] && reply.events[0].reason == "session_limit")
            #expect(try bench.command("ZCARD", "t:{3}:u:\(Bench.user)") == "2")
            #expect(try bench.command("ZCARD", "t:{3}:due") == "2")
            #expect(try bench.command("EXISTS", "t:{3}:s:\(first)") == "0")
            #expect(try bench.command("ZRANGE", "t:{3}:revoked", "0", "-1") == "s:\(first)")
        }
    }

    @Test("what a revoke has just ended takes no place, though the node that asks has not heard of it")
    func ended() async throws {
        try await Bench.run { bench in
            let user = try #require(UserID(Bench.user))
            let (first, _) = try await bench.issue(1)
            let (second, _) = try await bench.issue(2)
            let known = bench.known(try await bench.open().incarnation)
            _ = try await bench.revoke(.except(user, first), known: known)
            // Its record and its place in the index are left to delete.
            #expect(try bench.command("ZCARD", "t:{3}:u:\(Bench.user)") == "2")
            let read = [(first, true), (second, true)]
            let reply = try await issue(3, maximum: 2, evicts: false, read: read, bench).get()
            #expect(reply.events.isEmpty && reply.ended.isEmpty)
            let next = try await issue(4, maximum: 2, evicts: true, read: read, bench).get()
            #expect(next.ended == [first] && next.events.map(\.change) == [.sessions([first])])
            // As if the mark were gone: it makes room like the others, and has no second end to tell of.
            _ = try bench.command("ZADD", "t:{3}:due", "1", "\(second)")
            let others = [second] + [3, 4].map { SessionID(partition: Bench.partition, high: 7, low: $0) }
            let last = try await issue(5, maximum: 1, evicts: true, read: others.map { ($0, true) }, bench).get()
            #expect(last.ended == Array(others[1...]) && last.events.map(\.change) == [.sessions(others)])
        }
    }

    @Test("what is over takes no place, and where the limit was lowered more than one ends, oldest first")
    func over() async throws {
        try await Bench.run { bench in
            var sessions: [SessionID] = []
            for low in 1...4 { sessions.append(try await bench.issue(UInt64(low)).0) }
            // The second is over by what the node knows.
            let read = sessions.enumerated().map { ($1, $0 != 1) }
            #expect(refusal(try await issue(9, maximum: 3, evicts: false, read: read, bench)) == .full)
            #expect(refusal(try await issue(9, maximum: 4, evicts: false, read: read, bench)) == nil)
            let reply = try await issue(
                10, maximum: 2, evicts: true,
                read: read + [(SessionID(partition: Bench.partition, high: 7, low: 9), true)],
                bench
            ).get()
            #expect(reply.events.map(\.change) == [.sessions([sessions[0], sessions[2], sessions[3]])])
        }
    }
}
