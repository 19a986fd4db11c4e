// Rings whose keys take turns: who signs when, who verifies what, and that a token can't choose how it is verified.

import Testing

@testable import CurfewCore

@Suite("A ring of several keys") struct RotationTests {
    private let wall = TokenFixture.wall

    private func key(_ algorithm: SigningAlgorithm, id: String, activeFrom seconds: Int64) throws -> SigningKey {
        let time = WallTime(seconds: seconds)
        guard let pem = NewPrivateKey.pem(algorithm) else {
            return try SigningKey(id: id, secret: Array("a secret of at least 32 bytes: \(id)".utf8), activeFrom: time)
        }
        return try SigningKey(id: id, privateKey: pem, algorithm: algorithm, activeFrom: time)
    }

    private func ring(_ keys: [SigningKey]) throws -> KeyRing {
        try #require(KeyRing(keys, issuer: "curfew", audience: "curfew"))
    }

    @Test("who signs follows from when a token is issued: the youngest key that is active by then, else the oldest")
    func turns() throws {
        let keys = try (1...3).map { try key(.hs256, id: "k\($0)", activeFrom: Int64($0) * 100) }
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let ring = try ring(order.map { keys[$0] })
            #expect(ring.keyIDs == ["k3", "k2", "k1"])
            let turns: [(Int64, String)] = [
                (0, "k1"), (99, "k1"), (100, "k1"), (199, "k1"), (200, "k2"), (299, "k2"), (300, "k3"), (999, "k3"),
            ]
            for (second, id) in turns { #expect(ring.signingKey(at: WallTime(seconds: second)).id == id) }
        }
    }

    @Test("every key signs and verifies, under every algorithm, before and after it is its turn")
    func allAlgorithms() throws {
        let fixture = try TokenFixture()
        let algorithms = SigningAlgorithm.allCases
        let keys = try algorithms.enumerated().map { index, algorithm in
            try key(algorithm, id: "k\(index)", activeFrom: wall.seconds + Int64(index) * 100)
        }
        let ring = try ring(keys)
        for (index, algorithm) in algorithms.enumerated() {
            var claims = fixture.claims
            claims.issuedAt = WallTime(seconds: wall.seconds + Int64(index) * 100 + 50)
            let token = try ring.encode(claims)
            let header = String(decoding: token.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)
            #expect(
                header.utf8.elementsEqual(
                    base64URL(Array(#"{"alg":"\#(algorithm.rawValue)","typ":"session+jwt","kid":"k\#(index)"}"#.utf8))))
            #expect(try ring.decode(token) == claims)
            #expect(token.count <= ring.largestTokenBytes(of: claims))
            // Any bit of the signature.
            let start = token.count - Base64URL.encodedCount(keys[index].signer.signatureBytes)
            for place in start..<(token.count - 1) {
                var bent = token
                bent[place] = bent[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
                #expect(throws: TokenRefusal.signatureInvalid) { try ring.decode(bent) }
            }
            #expect(throws: TokenRefusal.malformed) { try ring.decode(Array(token.dropLast())) }
            #expect(throws: TokenRefusal.malformed) { try ring.decode(token + [UInt8(ascii: "A")]) }
            let others = try self.ring(keys.filter { $0.id != "k\(index)" })
            #expect(throws: TokenRefusal.signatureInvalid) { try others.decode(token) }
        }
    }

    @Test("the key says how its tokens are verified, never the token: no public key is taken for a secret")
    func confusion() throws {
        let fixture = try TokenFixture()
        let keys = try SigningAlgorithm.allCases.map { try key($0, id: $0.rawValue, activeFrom: 0) }
        let ring = try ring(keys)
        for named in keys {
            for signing in keys {
                let header = #"{"typ":"session+jwt","alg":"\#(signing.algorithm.rawValue)","kid":"\#(named.id)"}"#
                let token = fixture.token(header: header, fixture.payload(), key: signing)
                if named.id == signing.id {
                    #expect(try ring.decode(token) == fixture.claims)
                } else {
                    #expect(throws: TokenRefusal.malformed) { try ring.decode(token) }
                }
            }
            // The classic: HMAC under what everybody knows.
            guard let published = named.publicKey else { continue }
            let header = #"{"typ":"session+jwt","alg":"HS256","kid":"\#(named.id)"}"#
            for secret in [published.x, published.x + (published.y ?? []), [4] + published.x + (published.y ?? [])] {
                let forger = try SigningKey(id: "f", secret: secret)
                let token = fixture.token(header: header, fixture.payload(), key: forger)
                #expect(throws: TokenRefusal.malformed) { try ring.decode(token) }
            }
        }
    }

    @Test("refresh tokens, cross-site tokens, bodies and what is sealed go from one key to the next, too")
    func derivedKeys() throws {
        let session = try TokenFixture().claims.session
        for algorithm in SigningAlgorithm.allCases {
            let (old, new) = (
                try key(.hs256, id: "old", activeFrom: 0), try key(algorithm, id: "new", activeFrom: wall.seconds)
            )
            let (before, during, after) = (try ring([old]), try ring([old, new]), try ring([new]))
            let (early, late) = (WallTime(seconds: wall.seconds - 1), wall)
            let token = RefreshToken(session: session, generation: 7)
            #expect(during.encode(token, issuedAt: early) == before.encode(token, issuedAt: late))
            #expect(during.encode(token, issuedAt: late) == after.encode(token, issuedAt: early))
            for time in [early, late] {
                #expect(try during.decodeRefreshToken(during.encode(token, issuedAt: time)) == token)
                #expect(during.isCrossSiteToken(during.crossSiteToken(of: session, at: time), of: session))
                #expect(during.isCode(during.code(ofBody: "b", at: time), ofBody: "b"))
                #expect(during.opened(during.sealed([1, 2], name: "n", at: time), name: "n") == [1, 2])
            }
            #expect(throws: TokenRefusal.signatureInvalid) {
                try after.decodeRefreshToken(before.encode(token, issuedAt: late))
            }
            #expect(!after.isCrossSiteToken(before.crossSiteToken(of: session, at: late), of: session))
        }
    }
}
