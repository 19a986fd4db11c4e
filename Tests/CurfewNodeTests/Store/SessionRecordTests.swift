// What is kept of a session for people: long texts come back whole, and Redis keeps their records packed.

import CurfewCore
import CurfewRedis
import Testing

@testable import CurfewNode

private typealias Bench = ScriptBench

@Suite("A session's record") struct SessionRecordTests {
    private static let browser =
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile "
        + "Safari/537.36"

    private func view(of fields: [String]) throws -> SessionDetails? {
        let times = ["s", "1", "c", "1", "a", "1", "x", "1"]
        let value = RedisValue.array((fields + times).map { .bytes(Array($0.utf8)) })
        return try SessionRecord.view(SessionID(partition: Bench.partition, high: 1, low: 1), value)?.details
    }

    @Test(
        "texts of any length come back as they were, and no value has more than 64 bytes",
        arguments: [0, 1, 63, 64, 65, 127, 128, 129, 500])
    func texts(length: Int) throws {
        for unit in ["x", "ä", "€", "👩‍👩‍👧"] {
            var request = IssueRequest(user: try #require(UserID("u")))
            let text = String(repeating: unit, count: length)
            request.details.userAgent = text
            request.details.attributesJSON = text
            request.details.location = text
            let fields = SessionRecord.fields(of: request)
            #expect(fields.allSatisfy { $0.utf8.count <= 64 })
            #expect(try view(of: fields) == request.details)
        }
    }

    @Test("a text that takes the place of a longer one leaves nothing of it")
    func replaced() throws {
        var request = IssueRequest(user: try #require(UserID("u")))
        request.details.attributesJSON = String(repeating: "o", count: 300)
        let old = SessionRecord.fields(of: request)
        for new in [String(repeating: "n", count: 400), String(repeating: "n", count: 70), "n", nil] {
            var fields: [String: String] = [:]
            let changes = SessionRecord.fields("j", new, insteadOf: request.details.attributesJSON)
            for pairs in [old, changes] {
                for index in stride(from: 0, to: pairs.count, by: 2) { fields[pairs[index]] = pairs[index + 1] }
            }
            fields = fields.filter { !($0.key.hasPrefix("j") && $0.value.isEmpty) }
            #expect(try view(of: fields.flatMap { [$0.key, $0.value] })?.attributesJSON == new)
            #expect(fields.keys.filter { $0.hasPrefix("j") }.count == new.map { ($0.utf8.count + 63) / 64 } ?? 0)
        }
    }

    @Test("Redis packs the record of a session with a browser's details")
    func packed() async throws {
        try await Bench.run { bench in
            let user = try #require(UserID(Bench.user))
            var request = IssueRequest(user: user)
            request.details.userAgent = Self.browser
            request.details.deviceName = "Pixel 9"
            let session = SessionID(partition: Bench.partition, high: 7, low: 1)
            let call = bench.calls.issue(
                session, user: user, device: nil, lifetime: SessionLifetime(seconds: 1000, absoluteSeconds: 10_000),
                hasRefreshToken: true, record: SessionRecord.fields(of: request), bench.known(nil))
            _ = try IssueReply.result(try await bench.redis.run(call)).get()
            #expect(
                ["listpack", "ziplist"].contains(try bench.command("OBJECT", "ENCODING", "t:{3}:s:\(session)")))
        }
    }
}
