// Project Wycheproof's vectors, as far as they are about what Curfew verifies: JWS with HS256 and ES256, and the signatures below it.

import COpenSSL
import Foundation
import Testing

@testable import CurfewCore

@Suite("Wycheproof") struct WycheproofTests {
    private struct File<Group: Decodable>: Decodable { let testGroups: [Group] }

    private struct TokenGroup: Decodable {
        struct Key: Decodable { let kty, alg, crv, k, x, y, d: String? }
        struct Vector: Decodable {
            enum Form: Decodable {
                case compact(String)
                case other

                init(from decoder: any Decoder) throws {
                    let text = try? decoder.singleValueContainer().decode(String.self)
                    self = text.map { .compact($0) } ?? .other
                }
            }
            let tcId: Int
            let jws: Form
            let result: String
        }
        let `private`: Key?
        let tests: [Vector]
    }

    private struct SignatureGroup: Decodable {
        struct Vector: Decodable { let tcId: Int, msg, sig, result: String }
        let publicKeyPem: String
        let tests: [Vector]
    }

    private func groups<Group: Decodable>(_ name: String, as: Group.Type) throws -> [Group] {
        let folder = try #require(Bundle.module.url(forResource: "Wycheproof", withExtension: nil))
        let data = try Data(contentsOf: folder.appendingPathComponent(name))
        return try JSONDecoder().decode(File<Group>.self, from: data).testGroups
    }

    /// Vectors whose results can't be right. 372 and 373 have a `?` in header and payload, which RFC 7515 section 2 does not allow; 367
    /// and 370 are, byte for byte, the valid 357.
    private static let corrections = [372: "invalid", 373: "invalid", 367: "valid", 370: "valid"]

    @Test("JWS: what must be refused is, what must be taken is; none is a session's token")
    func tokens() throws {
        var (taken, refused) = (0, 0)
        for group in try groups("json_web_signature_test.json", as: TokenGroup.self) {
            // Keys for encryption name no algorithm: there is no such key here.
            guard let jwk = group.private, let key = try signingKey(jwk) else { continue }
            let ring = try #require(KeyRing([key], issuer: "curfew", audience: "curfew"))
            for vector in group.tests {
                guard case .compact(let text) = vector.jws else { continue }
                let isTaken = isSigned(text, by: key)
                let result = Self.corrections[vector.tcId] ?? vector.result
                #expect(isTaken == (result == "valid"), "\(vector.tcId)")
                if isTaken { taken += 1 } else { refused += 1 }
                #expect(throws: TokenRefusal.self) { try ring.decode(Array(text.utf8)) }
            }
        }
        #expect(taken == 12 && refused == 67)
    }

    @Test(
        "signatures below JWS",
        arguments: [
            ("ed25519_test.json", SigningAlgorithm.eddsa), ("ecdsa_secp256r1_sha256_p1363_test.json", .es256),
        ])
    func signatures(name: String, algorithm: SigningAlgorithm) throws {
        var (taken, refused) = (0, 0)
        for group in try groups(name, as: SignatureGroup.self) {
            let key = try KeyPair(publicPEM: group.publicKeyPem, algorithm)
            for vector in group.tests {
                let (message, signature) = (bytes(ofHex: vector.msg), bytes(ofHex: vector.sig))
                let isTaken =
                    signature.count == KeyPair.signatureBytes
                    && signature.withUnsafeBytes { signature in
                        message.withUnsafeBytes { key.accepts(signature, of: $0) }
                    }
                #expect(isTaken == (vector.result == "valid"), "\(vector.tcId)")
                if isTaken { taken += 1 } else { refused += 1 }
            }
        }
        #expect(taken > 80 && refused > 50)
    }

    /// A JWS is signed as `KeyRing.verify` has it, whatever it says.
    private func isSigned(_ text: String, by key: SigningKey) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Array($0.utf8) }
        guard parts.count == 3, let header = decodedBase64URL(String(decoding: parts[0], as: UTF8.self)),
            decodedBase64URL(String(decoding: parts[1], as: UTF8.self)) != nil,
            let signature = decodedBase64URL(String(decoding: parts[2], as: UTF8.self)),
            signature.count == key.signer.signatureBytes,
            let members = try? JSONSerialization.jsonObject(with: Data(header)) as? [String: Any],
            members["alg"] as? String == key.algorithm.rawValue
        else { return false }
        var code = [UInt8](repeating: 0, count: 64)
        return signature.withUnsafeBytes { signature in
            (parts[0] + [UInt8(ascii: ".")] + parts[1]).withUnsafeBytes { message in
                code.withUnsafeMutableBytes { code in
                    guard let signature = signature.baseAddress, let code = code.baseAddress else { return false }
                    return key.signer.accepts(signature, of: message, code: code)
                }
            }
        }
    }

    private func signingKey(_ key: TokenGroup.Key) throws -> SigningKey? {
        if key.kty == "oct", key.alg == "HS256", let secret = key.k.flatMap({ decodedBase64URL($0) }) {
            return try SigningKey(id: "k", secret: secret)
        }
        guard key.crv == "P-256", key.alg == "ES256" else { return nil }
        let numbers = [key.d, key.x, key.y].compactMap { $0.flatMap { decodedBase64URL($0) } }
        guard numbers.count == 3 else { return nil }
        // PKCS #8 (RFC 5958) around the key of RFC 5915.
        let der =
            bytes(ofHex: "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420") + numbers[0]
            + bytes(ofHex: "a14403420004") + numbers[1] + numbers[2]
        let base64 = Data(der).base64EncodedString(options: .lineLength64Characters)
        let pem = "-----BEGIN PRIVATE KEY-----\n\(base64)\n-----END PRIVATE KEY-----\n"
        return try SigningKey(id: "k", privateKey: pem, algorithm: .es256)
    }

    private func bytes(ofHex text: String) -> [UInt8] {
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16)
        }
    }
}

extension KeyPair {
    /// The public half only.
    fileprivate convenience init(publicPEM: String, _ algorithm: SigningAlgorithm) throws {
        let key = Array(publicPEM.utf8).withUnsafeBytes { bytes -> OpaquePointer? in
            guard let input = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
            defer { BIO_free(input) }
            return PEM_read_bio_PUBKEY(input, nil, nil, nil)
        }
        self.init(algorithm, try #require(key))
    }
}
