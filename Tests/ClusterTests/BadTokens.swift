// Tokens that no node made, as data: each is a real one spoilt in one place, most of them signed correctly around the fault.
// All are 401 (RFC 8725 in full); which code it is says what was found first.

import TestSupport

/// One malformed token.
struct BadToken: Sendable, CustomStringConvertible {
    let name: String
    let token: String
    let codes: Set<String>

    var description: String { name }
}

enum BadTokens {
    static func all(_ forge: TokenForge, real: String) -> [BadToken] {
        shapes(forge, real) + headers(forge, real) + claims(forge)
    }

    /// Wrong already as text.
    private static func shapes(_ forge: TokenForge, _ real: String) -> [BadToken] {
        let parts = real.split(separator: ".").map(String.init)
        let signed = "\(parts[0]).\(parts[1])"
        let rows: KeyValuePairs<String, String> = [
            "a word": "nonsense", "two segments": signed, "an empty signature": signed + ".",
            "three empty segments": "..",
            "four segments": real + ".", "five segments": "\(real).\(parts[1]).\(parts[2])",
            "no header": ".\(parts[1]).\(parts[2])",
            "padding": real + "=", "plain base64": real + "+/", "a percent sign": real + "%41",
            "more than 4 KiB": "\(parts[0]).\(parts[1])\(String(repeating: "A", count: 4_096)).\(parts[2])",
            "more than 4 KiB, signed": forge.addingClaim("\"x\":\"\(String(repeating: "x", count: 4_096))\""),
            "a lone letter at a segment's end": forge.signSegments(
                signed + "A" + (parts[1].count % 4 == 0 ? "" : "AAA")),
        ]
        let malformed = rows.map { BadToken(name: $0, token: $1, codes: ["token_malformed"]) }
        let either: Set<String> = ["token_malformed", "token_signature_invalid"]
        return malformed + [
            BadToken(
                name: "one bit of the signature", token: TokenForge.flippingSignature(of: real),
                codes: ["token_signature_invalid"]),
            BadToken(name: "an empty segment for the claims", token: "\(parts[0])..\(parts[2])", codes: either),
            BadToken(name: "half a signature", token: "\(signed).\(parts[2].prefix(20))", codes: either),
            BadToken(name: "a longer signature", token: real + "AAAA", codes: either),
            BadToken(
                name: "bits behind the signature's end", token: "\(signed).\(lastBitSet(parts[2]))", codes: either),
            BadToken(
                name: "claims of somebody else", token: "\(parts[0]).\(Base64URL.encode(Array("{}".utf8))).\(parts[2])",
                codes: either),
        ]
    }

    private static func headers(_ forge: TokenForge, _ real: String) -> [BadToken] {
        let unsigned = Base64URL.encode(Array(#"{"alg":"none","typ":"session+jwt"}"#.utf8))
        let claims = real.split(separator: ".")[1]
        let rows: KeyValuePairs<String, String> = [
            "alg none without a signature": "\(unsigned).\(claims).",
            "alg none with one": forge.signSegments("\(unsigned).\(claims)"),
            "alg None": forge.changingHeader("alg", to: #""None""#),
            "alg HS512": forge.changingHeader("alg", to: #""HS512""#),
            "alg RS256": forge.changingHeader("alg", to: #""RS256""#),
            "alg in small letters": forge.changingHeader("alg", to: #""hs256""#),
            "no alg": forge.changingHeader("alg", to: nil),
            "alg as a list": forge.changingHeader("alg", to: #"["HS256"]"#),
            "typ JWT": forge.changingHeader("typ", to: #""JWT""#), "no typ": forge.changingHeader("typ", to: nil),
            "no kid": forge.changingHeader("kid", to: nil),
            "an unknown kid": forge.changingHeader("kid", to: #""other""#),
            "a kid that is a path": forge.changingHeader("kid", to: #""../../dev/null""#),
            "a kid of 65 letters": forge.changingHeader("kid", to: "\"\(String(repeating: "k", count: 65))\""),
            "a kid as a number": forge.changingHeader("kid", to: "1"),
            "jku": forge.addingHeader(#""jku":"https://example.com""#), "jwk": forge.addingHeader(#""jwk":{}"#),
            "x5u": forge.addingHeader(#""x5u":"https://example.com""#), "x5c": forge.addingHeader(#""x5c":[]"#),
            "crit": forge.addingHeader(#""crit":["exp"]"#), "b64": forge.addingHeader(#""b64":false"#),
            "alg twice": forge.addingHeader(#""alg":"HS256""#), "a header that is a list": forge.sign(header: "[]"),
            "a header that is no JSON": forge.sign(header: "{alg}"), "an empty header": forge.sign(header: "{}"),
        ]
        return rows.map { BadToken(name: $0, token: $1, codes: ["token_malformed", "token_signature_invalid"]) }
    }

    private static func claims(_ forge: TokenForge) -> [BadToken] {
        var rows: [(String, String)] = [
            ("claims that are a list", forge.sign(claims: "[]")),
            ("claims that are no JSON", forge.sign(claims: "{sub}")),
            ("claims with something behind", forge.sign(claims: forge.claims + "{}")),
            ("no claims at all", forge.sign(claims: "{}")),
            ("another issuer", forge.changing("iss", to: #""someone""#)),
            ("another audience", forge.changing("aud", to: #""someone""#)),
            ("an audience as a list", forge.changing("aud", to: #"["curfew"]"#)),
            ("a user as a number", forge.changing("sub", to: "42")),
            ("an empty user", forge.changing("sub", to: "\"\"")),
            ("a user with a control", forge.changing("sub", to: #""a\u0001b""#)),
            ("a session id that is none", forge.changing("sid", to: #""ses_1""#)),
            (
                "a session id of a partition there can't be",
                forge.changing("sid", to: "\"ses_\(String(repeating: "z", count: 24))\"")
            ),
            ("exp as a string", forge.changing("exp", to: #""2147483647""#)),
            ("exp with a fraction", forge.changing("exp", to: "2147483647.5")),
            ("a negative iat", forge.changing("iat", to: "-1")),
            ("a stamp as a string", forge.changing("stp", to: #""1""#)),
            ("a stamp beyond 64 bits", forge.changing("stp", to: "99999999999999999999999")),
            ("an unknown kind", forge.changing("knd", to: #""eternal""#)),
            ("permissions as a string", forge.changing("prm", to: #""a""#)),
            ("a permission with a quote", forge.changing("prm", to: #"["a\"b"]"#)),
            ("a user twice", forge.addingClaim(#""sub":"u_1""#)),
            ("a user twice, once escaped", forge.addingClaim(#""s\u0075b":"u_1""#)),
            (
                "a thousand brackets",
                forge.addingClaim(
                    "\"x\":" + String(repeating: "[", count: 1_000) + String(repeating: "]", count: 1_000))
            ),
            (
                "claims that are no UTF-8",
                forge.sign(
                    header: Array(forge.header.utf8),
                    claims: Array(forge.claims.utf8.dropLast()) + Array(",\"x\":\"".utf8) + [0xff] + Array("\"}".utf8))
            ),
        ]
        for name in ["iss", "aud", "sub", "sid", "exp", "iat", "stp", "knd"] {
            rows.append(("no \(name)", forge.changing(name, to: nil)))
        }
        return rows.map { BadToken(name: $0.0, token: $0.1, codes: ["token_malformed"]) } + [
            BadToken(name: "expired long ago", token: forge.changing("exp", to: "1000000000"), codes: ["token_expired"])
        ]
    }

    /// The same bytes when decoded leniently: the last letter's unused bits are set.
    private static func lastBitSet(_ segment: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        guard let last = segment.last, let place = alphabet.firstIndex(of: last) else { return segment }
        return segment.dropLast() + String(alphabet[place ^ 1])
    }
}
