// The fast path's answers are those of the slow path, byte for byte, since both come from the same writers.

import CurfewCore
import NIOCore
import Testing

@testable import CurfewNode

@Suite("Fast path") struct FastPathTests {
    private func body(_ answer: String?) -> String? {
        answer.flatMap { answer in answer.firstRange(of: "\r\n\r\n").map { String(answer[$0.upperBound...]) } }
    }

    private func withoutAge(_ text: String) -> String { text.replacing(#/"ageMs":\d+/#, with: "\"ageMs\":0") }

    /// What the slow path would write for the same claims.
    private func slow(_ claims: Claims, refresh: Bool = false) -> String {
        String(
            decoding: ActiveSession(
                session: claims.session, user: claims.user, device: claims.device, kind: claims.kind,
                permissions: claims.permissions, permissionsVersion: claims.permissionsVersion,
                issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, shouldRefresh: refresh, ageMilliseconds: 0,
                isStale: false
            ).body, as: UTF8.self)
    }

    @Test("an active session reads the same on both paths", arguments: ["u_42", "a\"b\\c", "é😀", "x"])
    func active(_ user: String) throws {
        let fixture = try FastPathFixture()
        for device in [nil, "phone", "\"\\"] {
            for permissions in [[], ["docs:read"], ["a", "b", "c"]] {
                let claims = try fixture.claims(user: user, device: device, permissions: permissions)
                let answer = try fixture.answer(token: try fixture.ring.encode(claims))
                #expect(
                    answer?.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ") == true)
                #expect(body(answer).map(withoutAge) == slow(claims))
                let parsed = try #require(body(answer))
                _ = try Array(parsed.utf8).withUnsafeBytes { try JSONParser.parse($0) }
            }
        }
    }

    @Test("the right fingerprint, and none, are answered here; a wrong one is left to who can tell of it")
    func fingerprint() throws {
        func head(_ token: [UInt8], _ more: String) -> String {
            "GET /v1/validate HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(String(decoding: token, as: UTF8.self))\r\n\(more)\r\n"
        }
        for policy in FingerprintPolicy.allCases {
            let fixture = try FastPathFixture { $0.fingerprint = policy }
            var claims = try fixture.claims(user: "u")
            claims.fingerprint = fixture.ring.fingerprintCode(
                of: Array("mine".utf8), for: claims.session, at: claims.issuedAt)
            let token = try fixture.ring.encode(claims)
            let (right, none, wrong) = (
                try fixture.answer(head(token, "Curfew-Fingerprint:  mine \r\n")), try fixture.answer(head(token, "")),
                try fixture.answer(head(token, "Curfew-Fingerprint: other\r\n"))
            )
            #expect(right?.hasPrefix("HTTP/1.1 200") == true)
            #expect((none == nil) == (policy == .required))
            #expect((wrong == nil) == (policy != .off))
            claims.fingerprint = nil
            let free = try fixture.answer(head(try fixture.ring.encode(claims), "Curfew-Fingerprint: other\r\n"))
            #expect(free?.hasPrefix("HTTP/1.1 200") == true)
        }
    }

    @Test("the length that a head says is its body's")
    func length() throws {
        let fixture = try FastPathFixture()
        for permissions in [[], ["a"], (0..<100).map { "permission:\($0)" }] {
            let claims = try fixture.claims(user: "u", permissions: permissions)
            let answer = try #require(try fixture.answer(token: try fixture.ring.encode(claims)))
            let length = try #require(answer.firstMatch(of: /Content-Length: +(\d+)\r\n/)).output.1
            #expect(Int(length) == body(answer)?.utf8.count)
        }
    }

    @Test("past the renewal point refresh is true")
    func refresh() throws {
        let fixture = try FastPathFixture()
        for (age, expected) in [(790, false), (810, true)] as [(Int64, Bool)] {
            let claims = try fixture.claims(user: "u", age: age)
            let answer = try fixture.answer(token: try fixture.ring.encode(claims))
            #expect(body(answer).map(withoutAge) == slow(claims, refresh: expected))
        }
    }

    @Test("changed permissions replace the token's own, with their version")
    func changedPermissions() throws {
        let fixture = try FastPathFixture()
        let claims = try fixture.claims(user: "u", permissions: ["old"])
        let new = try #require(Permissions(["new"]))
        fixture.table.withPartition(claims.session.partition) { slot in
            _ = slot.state.apply(
                .permissions(claims.user, new, Stamp(77)), until: claims.expiresAt, partition: claims.session.partition)
        }
        let answer = try #require(try fixture.answer(token: try fixture.ring.encode(claims)))
        #expect(answer.contains(#""permissions":["new"],"permissionsVersion":77"#))
    }

    @Test("each refusal is the slow path's problem, whole")
    func refusals() throws {
        let fixture = try FastPathFixture()
        let claims = try fixture.claims(user: "u")
        let token = try fixture.ring.encode(claims)
        var forged = token
        // Another digit of base64url: still well formed, no longer signed.
        let last = forged.count - 5
        forged[last] = forged[last] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        let expired = try fixture.ring.encode(try fixture.claims(user: "u", age: 1100))
        var revoked = claims
        revoked.session = SessionID(partition: claims.session.partition, high: 1, low: 2)
        fixture.revoke(revoked.session)
        let rows: [(String?, RefusalReason)] = [
            (try fixture.answer("GET /v1/validate HTTP/1.1\r\nHost: a\r\n\r\n"), .tokenMissing),
            (try fixture.answer(token: Array("a.b.c".utf8)), .tokenMalformed),
            (try fixture.answer(token: []), .tokenMalformed),
            (try fixture.answer(token: forged), .tokenSignatureInvalid),
            (try fixture.answer(token: expired), .tokenExpired),
            (try fixture.answer(token: try fixture.ring.encode(revoked)), .sessionRevoked),
        ]
        for (answer, reason) in rows {
            var buffer = ByteBuffer()
            AnswerBytes.write(Answer(Problem.inactive(reason)), connection: .silent, isHead: false, into: &buffer)
            #expect(answer == String(buffer: buffer), "\(reason)")
        }
    }

    @Test("a stale partition is left to the slow path, but for what is known to be revoked")
    func stale() throws {
        let fixture = try FastPathFixture(isFresh: false)
        let claims = try fixture.claims(user: "u")
        #expect(try fixture.answer(token: try fixture.ring.encode(claims)) == nil)
        fixture.revoke(claims.session)
        #expect(try fixture.answer(token: try fixture.ring.encode(claims))?.contains("session_revoked") == true)
    }

    @Test("every answer carries the security fields")
    func securityFields() throws {
        let fixture = try FastPathFixture()
        let answers = [
            try fixture.answer(token: try fixture.ring.encode(try fixture.claims(user: "u"))),
            try fixture.answer(token: Array("x".utf8)),
        ]
        for answer in answers {
            for field in [
                "X-Content-Type-Options: nosniff",
                "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
                "Referrer-Policy: no-referrer", "Cross-Origin-Resource-Policy: same-origin", "Cache-Control: no-store",
            ] { #expect(answer?.contains("\r\n\(field)\r\n") == true) }
        }
    }
}
