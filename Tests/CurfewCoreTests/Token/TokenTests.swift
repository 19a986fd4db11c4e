// What is encoded can be read again, by any key of the ring, and nothing that was changed on the way.

import Testing

@testable import CurfewCore

@Suite struct TokenTests {
    @Test("claims come back as they were, with every optional one and with none")
    func roundTrip() throws {
        let fixture = try TokenFixture()
        var claims = fixture.claims
        #expect(try fixture.ring.decode(fixture.ring.encode(claims)) == claims)
        #expect(try fixture.verdict(fixture.ring.encode(claims)) == .active)

        claims.fingerprint = "AAAAAAAAAAAAAAAAAAAAAA"
        #expect(try fixture.ring.decode(fixture.ring.encode(claims)) == claims)
        claims.fingerprint = nil
        claims.device = nil
        claims.tenant = nil
        claims.permissions = .none
        claims.permissionsVersion = 1_234_567_890_123_456_789
        claims.stamp = Stamp(98_765_432_109_876_543)
        claims.kind = .api
        #expect(try fixture.ring.decode(fixture.ring.encode(claims)) == claims)
        #expect(try fixture.verdict(fixture.ring.encode(claims)) == .active)
    }

    @Test(
        "ids with quotes, backslashes, slashes and any script come back as they were",
        arguments: [
            #"a"b"#, #"back\slash"#, "a/b", #"\u0041"#, "Åsa", "e\u{301}", "日本語", "😀", "<&>", "\u{2028}", "\"", "\\",
        ])
    func awkwardIDs(text: String) throws {
        let fixture = try TokenFixture(user: text)
        var claims = fixture.claims
        claims.device = DeviceID(text)
        claims.tenant = TenantID(text)
        let token = try fixture.ring.encode(claims)
        #expect(try fixture.ring.decode(token) == claims)
        let outcome = fixture.verdict(token) { verdict, bytes in
            guard case .active(let active) = verdict else { return }
            #expect(String(decoding: bytes[active.claims.user], as: UTF8.self) == text)
            #expect(active.claims.plainDevice.map { Array(bytes[$0]) } == Array(text.utf8))
            #expect(active.claims.tenant.map { Array(bytes[$0]) } == Array(text.utf8))
        }
        #expect(outcome == .active)
    }

    @Test("a view points at the text of each claim")
    func view() throws {
        let fixture = try TokenFixture(user: #"a"b"#)
        let payload = fixture.payload(["sub": #""\u0061\"b""#, "prm": #"[ "x\/y" , "z" ]"#, "prv": "5"])
        let outcome = fixture.verdict(fixture.token(payload)) { verdict, bytes in
            guard case .active(let active) = verdict else { return }
            func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
            #expect(text(active.claims.subject) == #"\u0061\"b"#)
            #expect(text(active.claims.user) == #"a"b"#)
            #expect(active.claims.device.map(text) == "phone")
            #expect(text(active.claims.permissions) == #"["x/y","z"]"#)
            #expect(active.claims.permissionsVersion == 5)
            #expect(active.claims.session == fixture.claims.session)
            #expect(active.age == .milliseconds(12))
        }
        #expect(outcome == .active)
    }

    @Test("a token that an older key of the ring signed is good, and one of a key that left is not")
    func rotation() throws {
        let fixture = try TokenFixture()
        let before = try #require(KeyRing([fixture.olderKey], issuer: "curfew", audience: "curfew"))
        let token = try before.encode(fixture.claims)
        #expect(fixture.verdict(token) == .active)
        let after = try #require(KeyRing([fixture.key], issuer: "curfew", audience: "curfew"))
        #expect(throws: TokenRefusal.signatureInvalid) { try after.decode(token) }
    }

    @Test("encode refuses what verify would refuse")
    func encodingErrors() throws {
        let fixture = try TokenFixture()
        var claims = fixture.claims
        claims.audience = "other"
        #expect(throws: TokenEncodingError.foreign) { try fixture.ring.encode(claims) }
        claims = fixture.claims
        claims.expiresAt = WallTime(seconds: -1)
        #expect(throws: TokenEncodingError.outOfRange) { try fixture.ring.encode(claims) }
        claims = fixture.claims
        claims.permissionsVersion = .max
        #expect(throws: TokenEncodingError.outOfRange) { try fixture.ring.encode(claims) }

        // The largest that fits is good, one permission byte more is refused with its size.
        claims = fixture.claims
        var fits = 0
        for length in 1...1200 {
            let names = (0..<20).map { _ in String(repeating: "p", count: 128) }
            let rest = (0..<length / 100).map { _ in String(repeating: "q", count: 96) }
            claims.permissions = try #require(
                Permissions(names + rest + [String(repeating: "r", count: length % 100 + 1)]))
            do {
                let token = try fixture.ring.encode(claims)
                #expect(token.count <= 4096)
                fits = max(fits, token.count)
                if token.count > 4090 { #expect(fixture.verdict(token) == .active) }
            } catch TokenEncodingError.tooLarge(let bytes) {
                #expect(bytes > 4096)
                #expect(fits >= 4090)
                return
            }
        }
        Issue.record("nothing was too large")
    }

    @Test("every flipped bit of a token is refused")
    func flippedBits() throws {
        let fixture = try TokenFixture()
        let token = try fixture.ring.encode(fixture.claims)
        for index in token.indices {
            for bit in 0..<8 {
                var mutated = token
                mutated[index] ^= 1 << UInt8(bit)
                guard case .refused(let refusal) = fixture.verdict(mutated), refusal != .expired, refusal != .revoked
                else {
                    Issue.record("bit \(bit) of byte \(index) was let through")
                    continue
                }
            }
        }
    }

    @Test("every change of a single byte is refused")
    func mutatedBytes() throws {
        let fixture = try TokenFixture()
        let token = try fixture.ring.encode(fixture.claims)
        #expect(fixture.verdict(token) == .active)
        for index in token.indices {
            var mutated = token
            // A few of the alphabet, of its neighbours and of no text at all; which ones moves along with the index.
            for value in stride(from: UInt8(index % 7), to: 249, by: 7) where value != token[index] {
                mutated[index] = value
                if case .refused = fixture.verdict(mutated) { continue }
                Issue.record("byte \(index) as \(value) was let through")
            }
        }
        for length in 0..<token.count where fixture.verdict(Array(token.prefix(length))) == .active {
            Issue.record("the first \(length) bytes were let through")
        }
    }

    @Test("random payloads that are properly signed are judged without a crash")
    func signedNoise() throws {
        let fixture = try TokenFixture()
        let good = Array(fixture.payload().utf8)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            var payload = good
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: payload.indices, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: payload[index] = .random(in: 0 ... .max, using: &generator)
                case 1: payload.remove(at: index)
                case 2: payload.insert(Array(#"{}[]",:\ue0-"#.utf8).randomElement(using: &generator) ?? 0, at: index)
                default: payload.removeSubrange(index..<min(payload.count, index + 5))
                }
            }
            let outcome = fixture.verdict(fixture.token(header: Array(TokenFixture.header.utf8), payload: payload))
            #expect(outcome == .active || outcome == .refused(.malformed) || outcome == .refused(.expired))
        }
    }
}
