// EdDSA and ES256 against published vectors and against libcrypto's other side; what a private key must be.

import Testing

@testable import CurfewCore

@Suite("Key pairs") struct KeyPairTests {
    /// RFC 8037 appendix A.1, its `d`, in PKCS #8.
    static let ed25519 = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
        -----END PRIVATE KEY-----

        """

    @Test("EdDSA signs what RFC 8037 appendix A.4 prints, and its public key is the one of A.2")
    func rfc8037() throws {
        let key = try KeyPair(pem: Self.ed25519)
        #expect(key.algorithm == .eddsa)
        #expect(key.publicKey(id: "k").coordinates.x == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
        let signed = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
        #expect(
            base64URL(key.signature(of: signed))
                == Array("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg".utf8))
    }

    @Test("ES256 takes the signature of RFC 7515 appendix A.3, and no other")
    func rfc7515() throws {
        // The key of that appendix, in PKCS #8.
        let key = try KeyPair(pem: Self.p256)
        #expect(key.algorithm == .es256)
        let published = key.publicKey(id: "k")
        #expect(published.coordinates.x == "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")
        #expect(published.coordinates.y == "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
        let signed = Array(
            ("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19"
                + "yb290Ijp0cnVlfQ").utf8)
        let signature = try #require(
            decodedBase64URL("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"))
        #expect(accepts(key, signature, signed))
        for index in signature.indices {
            var other = signature
            other[index] ^= 1
            #expect(!accepts(key, other, signed))
        }
        #expect(!accepts(key, [UInt8](repeating: 0, count: 64), signed))
        #expect(!accepts(key, [UInt8](repeating: 0xff, count: 64), signed))
    }

    static let p256 = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
        H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
        7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
        -----END PRIVATE KEY-----

        """

    @Test("a new pair is written as PEM and read again, signs, and its derived secret is 32 bytes of its own")
    func made() throws {
        #expect(NewPrivateKey.pem(.hs256) == nil)
        for algorithm in [SigningAlgorithm.eddsa, .es256] {
            let pem = try #require(NewPrivateKey.pem(algorithm))
            #expect(pem.hasPrefix("-----BEGIN PRIVATE KEY-----\n") && pem != NewPrivateKey.pem(algorithm))
            let (key, again) = (try KeyPair(pem: pem), try KeyPair(pem: pem))
            #expect(key.algorithm == algorithm && key.pem == pem)
            #expect(key.secret.count == 32 && key.secret == again.secret)
            let message = Array("a message".utf8)
            #expect(accepts(again, key.signature(of: message), message))
            #expect(!accepts(again, key.signature(of: message), message + [0]))
            let other = try #require(KeyPair.generate(algorithm))
            #expect(!accepts(other, key.signature(of: message), message))
        }
    }

    @Test("what is no private key, or one of another kind, is said")
    func unusable() throws {
        let bad = [
            "", "x", Self.p256.replacing("PRIVATE KEY", with: "EC PRIVATE KEY"), String(Self.p256.dropLast(60)),
            Self.p256.replacing("MIGH", with: "MIGI"),
            // The private number with another point.
            Self.p256.replacing("E9+E9LKhRANC", with: "E9+E9LOhRANC"),
        ]
        for pem in bad { #expect(throws: SigningKeyError.privateKeyUnreadable) { try KeyPair(pem: pem) } }
        for pem in [Self.p384, Self.encrypted] { #expect(throws: SigningKeyError.self) { try KeyPair(pem: pem) } }
        #expect(throws: SigningKeyError.privateKeyOfOtherAlgorithm) { try KeyPair(pem: Self.p384) }
        for algorithm in [SigningAlgorithm.hs256, .es256] {
            #expect(throws: SigningKeyError.privateKeyOfOtherAlgorithm) {
                try SigningKey(id: "k", privateKey: Self.ed25519, algorithm: algorithm)
            }
        }
        #expect(throws: SigningKeyError.idMalformed) {
            try SigningKey(id: "", privateKey: Self.ed25519, algorithm: .eddsa)
        }
    }

    static let p384 = """
        -----BEGIN PRIVATE KEY-----
        MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDD+lt4FBTMYYyhz6pfR
        kBmD3+mSE0D/Xv/KoQNVvW/FOOaD6sQfauuaoHQxX0l7f+qhZANiAASadgNm86ea
        0oa3ZIcn301PBjaqrkSWjxrgrTLYGk8UHpFXre6iqPiZPkdJNksM7r/pkuh0vTr6
        kydJo4ZAONyMdzYD8ofeVuR2Z6tr5vGV6wq850yeYyyz8HcKiWOTrfU=
        -----END PRIVATE KEY-----

        """
    /// Under the passphrase "secret": nobody is asked for one.
    static let encrypted = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjKKXxalXgcogICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJBs7Mvy8difslj5+r1F0qAEQBPv
        T+ot0TtSkjvVa0yZznh2edzA5ygsVdqVqPjhi1rLAvVQFZP1ordcxE+XzWvkXNh3
        Dg+z/dngZb669y/JLAQ=
        -----END ENCRYPTED PRIVATE KEY-----

        """

    private func accepts(_ key: KeyPair, _ signature: [UInt8], _ message: [UInt8]) -> Bool {
        signature.withUnsafeBytes { signature in message.withUnsafeBytes { key.accepts(signature, of: $0) } }
    }
}
