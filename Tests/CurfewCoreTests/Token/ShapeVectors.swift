// Shapes: parts, base64url, sizes, signatures.

import Testing

@testable import CurfewCore

extension TokenVector {
    static let shapes: [TokenVector] = [
        TokenVector("empty") { _ in [] },
        TokenVector("two dots") { _ in Array("..".utf8) },
        TokenVector("header only") { _ in Array("eyJhbGciOiJub25lIn0..".utf8) },
        TokenVector("2 parts") { Array($0.token($0.payload()).dropLast(44)) },
        TokenVector("4 parts") { $0.token($0.payload()) + Array(".AAAA".utf8) },
        TokenVector("4 parts, signed") {
            $0.sign(base64URL(Array(TokenFixture.header.utf8)) + [46] + base64URL(Array($0.payload().utf8)) + [46])
        },
        TokenVector("5 parts") { $0.sign(Array("eyJhbGciOiJkaXIifQ..AAAA.AAAA".utf8)) },
        TokenVector("empty header, signed") { $0.sign([46] + base64URL(Array($0.payload().utf8))) },
        TokenVector("empty payload, signed") { $0.sign(base64URL(Array(TokenFixture.header.utf8)) + [46]) },
        TokenVector("no payload, signed") { $0.sign(base64URL(Array(TokenFixture.header.utf8))) },
        TokenVector("empty signature") { Array($0.token($0.payload()).dropLast(43)) },
        TokenVector("short signature") { Array($0.token($0.payload()).dropLast(1)) },
        TokenVector("long signature") { $0.token($0.payload()) + [65] },
        TokenVector("signature with padding") { $0.token($0.payload()) + [61] },
        TokenVector("signature of another key", .refused(.signatureInvalid)) {
            $0.token($0.payload(), key: $0.olderKey)
        },
        TokenVector("signature of zeros", .refused(.signatureInvalid)) {
            $0.token($0.payload()).dropLast(43) + [UInt8](repeating: 65, count: 43)
        },
        TokenVector("leftover bits in the signature") { fixture in
            var token = fixture.token(fixture.payload())
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
            let last = alphabet.firstIndex(of: token[token.count - 1]) ?? 0
            token[token.count - 1] = alphabet[last | 1]
            return token
        },
        TokenVector("leftover bits in the payload, signed") { fixture in
            var digits = base64URL(Array(fixture.payload(appending: #","x":1"#).utf8))
            if digits.count % 4 == 0 { digits = base64URL(Array(fixture.payload(appending: #","x":12"#).utf8)) }
            digits[digits.count - 1] += 1
            return fixture.sign(base64URL(Array(TokenFixture.header.utf8)) + [46] + digits)
        },
        TokenVector("padding in the payload, signed") { fixture in
            let digits = base64URL(Array(fixture.payload().utf8))
            return fixture.sign(base64URL(Array(TokenFixture.header.utf8)) + [46] + digits + [61])
        },
        TokenVector("the other alphabet, signed") { fixture in
            let payload = Array(fixture.payload(appending: #","x":"ûÿ¿ûÿ¿ûÿ¿""#).utf8)
            let digits = base64URL(payload).map { $0 == 45 ? 43 : $0 == 95 ? 47 : $0 }
            precondition(digits != base64URL(payload))
            return fixture.sign(base64URL(Array(TokenFixture.header.utf8)) + [46] + digits)
        },
        TokenVector("a line break in the payload, signed") { fixture in
            var digits = base64URL(Array(fixture.payload().utf8))
            digits.insert(10, at: 40)
            return fixture.sign(base64URL(Array(TokenFixture.header.utf8)) + [46] + digits)
        },
        TokenVector("a space before it") { [32] + $0.token($0.payload()) },
        TokenVector("4,096 bytes", .active) { sized(4096, $0) },
        TokenVector("4,097 bytes") { sized(4097, $0) },
        TokenVector("1 MiB") { $0.sign([UInt8](repeating: 65, count: 1 << 20)) },
    ]

    /// A good token of exactly so many bytes: spaces in the payload, and in the header where base64url leaves a gap.
    private static func sized(_ bytes: Int, _ fixture: TokenFixture) -> [UInt8] {
        for spaces in 0..<4 {
            let header = TokenFixture.header + String(repeating: " ", count: spaces)
            let room = bytes - 45 - Base64URL.encodedCount(header.utf8.count)
            for count in (room * 3 / 4 - 2)...(room * 3 / 4 + 2) where Base64URL.encodedCount(count) == room {
                let payload = fixture.payload()
                return fixture.token(
                    header: header, payload + String(repeating: " ", count: count - payload.utf8.count))
            }
        }
        preconditionFailure("no such token")
    }
}
