// The code of a fingerprint: of one login, under one of the ring's keys, and of nothing else.

import Testing

@testable import CurfewCore

@Suite("Fingerprints") struct FingerprintTests {
    private static let now = TokenFixture.wall

    private func isIt(_ ring: KeyRing, _ given: String, _ code: String, _ session: SessionID) -> Bool {
        Array(given.utf8).withUnsafeBytes { given in
            Array(code.utf8).withUnsafeBytes { ring.isFingerprint(given, ofCode: $0, for: session) }
        }
    }

    @Test(
        "a code is 22 digits, of one fingerprint of one login, whichever of its ids", arguments: [0, 1, 17, 255, 256])
    func codes(count: Int) throws {
        let fixture = try TokenFixture()
        let session = fixture.claims.session
        let text = String(repeating: "x", count: count)
        let code = fixture.ring.fingerprintCode(of: Array(text.utf8), for: session, at: Self.now)
        #expect(code.utf8.count == 22)
        #expect(code == fixture.ring.fingerprintCode(of: Array(text.utf8), for: session, at: Self.now))
        #expect(isIt(fixture.ring, text, code, session))
        #expect(isIt(fixture.ring, text, code, session.rotated(to: 7)))
        #expect(!isIt(fixture.ring, text + "y", code, session))
        let other = SessionID(partition: session.partition, high: session.high ^ 1, low: session.low)
        #expect(!isIt(fixture.ring, text, code, other))
        for place in code.indices {
            var bent = code
            bent.replaceSubrange(place...place, with: code[place] == "A" ? "E" : "A")
            #expect(!isIt(fixture.ring, text, bent, session))
        }
        for wrong in ["", String(code.dropLast()), code + "A", String(repeating: "?", count: 22)] {
            #expect(!isIt(fixture.ring, text, wrong, session))
        }
    }

    @Test("a code goes on over a rotation, and with its key")
    func rotation() throws {
        let fixture = try TokenFixture()
        let old = try #require(KeyRing([fixture.olderKey], issuer: "i", audience: "a"))
        let new = try #require(KeyRing([fixture.key], issuer: "i", audience: "a"))
        let code = old.fingerprintCode(of: [1, 2], for: fixture.claims.session, at: Self.now)
        let given = "\u{1}\u{2}"
        #expect(isIt(old, given, code, fixture.claims.session))
        #expect(isIt(fixture.ring, given, code, fixture.claims.session))
        #expect(!isIt(new, given, code, fixture.claims.session))
        #expect(code != new.fingerprintCode(of: [1, 2], for: fixture.claims.session, at: Self.now))
    }

    @Test("a claim of another length, or with an escape, is no claim", arguments: ["\"A\"", "\"\"", "7", "null"])
    func claims(value: String) throws {
        let fixture = try TokenFixture()
        #expect(fixture.verdict(fixture.token(fixture.payload(appending: ",\"fpr\":\(value)"))) == .refused(.malformed))
        let good = ",\"fpr\":\"AAAAAAAAAAAAAAAAAAAAAA\""
        #expect(fixture.verdict(fixture.token(fixture.payload(appending: good))) == .active)
        #expect(fixture.verdict(fixture.token(fixture.payload(appending: good + good))) == .refused(.malformed))
        let escaped = ",\"fpr\":\"\\u0041AAAAAAAAAAAAAAAA\""
        #expect(fixture.verdict(fixture.token(fixture.payload(appending: escaped))) == .refused(.malformed))
    }
}
