// HMAC-SHA256 against published vectors, keys, base64url and the comparison of secrets.

import Testing

@testable import CurfewCore

@Suite struct SignatureTests {
    @Test("the signature of RFC 7515 appendix A.1 is the one printed there")
    func rfc7515() throws {
        let secret = try #require(
            decodedBase64URL(
                "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
        let signed =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
            + "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let code = MACKey(secret: secret).code(for: Array(signed.utf8))
        #expect(base64URL(code) == Array("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".utf8))
    }

    @Test("a secret longer than a block is hashed first (RFC 4231, case 6)")
    func longSecret() {
        let code = MACKey(secret: [UInt8](repeating: 0xaa, count: 131))
            .code(for: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8))
        #expect(hexadecimal(code) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test("SHA-256 of abc is the one of FIPS 180")
    func hash() {
        #expect(
            hexadecimal(sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("a key needs 32 bytes and an id of 1 to 64 letters, digits, dots, underscores and hyphens")
    func keys() throws {
        let secret = [UInt8](repeating: 7, count: 32)
        #expect(throws: SigningKeyError.secretTooShort(bytes: 31)) {
            try SigningKey(id: "k", secret: Array(secret.dropLast()))
        }
        for id in ["", "a b", "é", "a/b", "a\"", String(repeating: "k", count: 65)] {
            #expect(throws: SigningKeyError.idMalformed) { try SigningKey(id: id, secret: secret) }
        }
        #expect(try SigningKey(id: String(repeating: "k", count: 64), secret: secret).id.count == 64)
        #expect(throws: SigningKeyError.secretTooShort(bytes: 0)) { try SigningKey.derived(fromSecret: []) }
    }

    @Test("a derived key id follows from the secret alone")
    func derivedKeyID() throws {
        let one = try SigningKey.derived(fromSecret: [UInt8](1...32))
        let other = try SigningKey.derived(fromSecret: [UInt8](2...33))
        #expect(try SigningKey.derived(fromSecret: [UInt8](1...32)).id == one.id)
        #expect(one.id != other.id)
        #expect(one.id.utf8.count == 16 && one.id.utf8.allSatisfy(\.isLowercaseHexDigit))
    }

    @Test("a ring refuses two keys of one id, too many keys, and an issuer or audience that is none")
    func rings() throws {
        let key = try SigningKey(id: "k", secret: [UInt8](1...32))
        let same = try SigningKey(id: "k", secret: [UInt8](2...33))
        #expect(KeyRing([key, same], issuer: "i", audience: "a") == nil)
        #expect(KeyRing([], issuer: "i", audience: "a") == nil)
        #expect(KeyRing([key], issuer: "", audience: "a") == nil)
        #expect(KeyRing([key], issuer: "i", audience: "a\n") == nil)
        let many = try (0..<32).map { try SigningKey(id: "k\($0)", secret: [UInt8](1...32)) }
        #expect(KeyRing([key] + many, issuer: "i", audience: "a") == nil)
        #expect(KeyRing([key] + many.dropLast(), issuer: "i", audience: "a")?.keyIDs.count == 32)
    }

    @Test("the constant-time comparison finds every difference")
    func comparison() {
        let bytes = [UInt8](0..<32)
        #expect(ConstantTime.areEqual(bytes, bytes))
        #expect(ConstantTime.areEqual([], []))
        #expect(!ConstantTime.areEqual(bytes, Array(bytes.dropLast())))
        for index in bytes.indices {
            for bit in 0..<8 {
                var other = bytes
                other[index] ^= 1 << UInt8(bit)
                #expect(!ConstantTime.areEqual(bytes, other))
            }
        }
    }

    @Test("base64url comes back for every length, and only in its canonical form")
    func base64() throws {
        var generator = SeededGenerator(seed: 3)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
            let text = String(decoding: base64URL(bytes), as: UTF8.self)
            #expect(text.utf8.count == Base64URL.encodedCount(count))
            #expect(decodedBase64URL(text) == bytes)
        }
        // RFC 4648 section 10, in the alphabet of section 5.
        #expect(decodedBase64URL("Zm9vYmE") == Array("fooba".utf8))
        for text in ["A", "AAAAA", "AB", "AAB", "AA==", "AA=", "A A", "AA\n", "+A", "/A", "AA.", "é", "AAA\u{7f}"] {
            #expect(decodedBase64URL(text) == nil)
        }
        #expect(decodedBase64URL("-_-_") == [0xfb, 0xff, 0xbf])
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
