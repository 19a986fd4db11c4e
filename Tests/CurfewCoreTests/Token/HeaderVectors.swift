// Headers: what each member may say, and what may not be there at all (RFC 8725, RFC 7515 section 4).

import Testing

@testable import CurfewCore

extension TokenVector {
    static let headers: [TokenVector] = [
        .header("our own", TokenFixture.header, is: .active),
        .header("other order", #"{"kid":"k1","typ":"session+jwt","alg":"HS256"}"#, is: .active),
        .header("spaces", "{ \"alg\" : \"HS256\",\n\t\"typ\":\"session+jwt\",\r\"kid\":\"k1\" } ", is: .active),
        .header("unknown member", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","x":{"y":[1]}}"#, is: .active),
        .header("alg none", #"{"alg":"none","typ":"session+jwt","kid":"k1"}"#),
        .header("alg None", #"{"alg":"None","typ":"session+jwt","kid":"k1"}"#),
        .header("alg NONE", #"{"alg":"NONE","typ":"session+jwt","kid":"k1"}"#),
        .header("alg HS384", #"{"alg":"HS384","typ":"session+jwt","kid":"k1"}"#),
        .header("alg hs256", #"{"alg":"hs256","typ":"session+jwt","kid":"k1"}"#),
        .header("alg RS256", #"{"alg":"RS256","typ":"session+jwt","kid":"k1"}"#),
        .header("alg ES256", #"{"alg":"ES256","typ":"session+jwt","kid":"k1"}"#),
        .header("alg empty", #"{"alg":"","typ":"session+jwt","kid":"k1"}"#),
        .header("alg null", #"{"alg":null,"typ":"session+jwt","kid":"k1"}"#),
        .header("alg missing", #"{"typ":"session+jwt","kid":"k1"}"#),
        .header("alg twice", #"{"alg":"HS256","alg":"HS256","typ":"session+jwt","kid":"k1"}"#),
        .header("alg none, then HS256", #"{"alg":"none","alg":"HS256","typ":"session+jwt","kid":"k1"}"#),
        .header("typ missing", #"{"alg":"HS256","kid":"k1"}"#),
        .header("typ JWT", #"{"alg":"HS256","typ":"JWT","kid":"k1"}"#),
        .header("typ logout+jwt", #"{"alg":"HS256","typ":"logout+jwt","kid":"k1"}"#),
        .header("typ twice", #"{"alg":"HS256","typ":"session+jwt","typ":"session+jwt","kid":"k1"}"#),
        .header("kid missing", #"{"alg":"HS256","typ":"session+jwt"}"#),
        .header("kid empty", #"{"alg":"HS256","typ":"session+jwt","kid":""}"#),
        .header("kid a number", #"{"alg":"HS256","typ":"session+jwt","kid":1}"#),
        .header("kid a path", #"{"alg":"HS256","typ":"session+jwt","kid":"../../dev/null"}"#),
        .header("kid with a quote", #"{"alg":"HS256","typ":"session+jwt","kid":"k1' OR 1"}"#),
        .header("kid escaped", #"{"alg":"HS256","typ":"session+jwt","kid":"\u006b1"}"#),
        .header("kid of 65", #"{"alg":"HS256","typ":"session+jwt","kid":"\#(String(repeating: "k", count: 65))"}"#),
        .header(
            "kid of 64, unknown", #"{"alg":"HS256","typ":"session+jwt","kid":"\#(String(repeating: "k", count: 64))"}"#,
            is: .refused(.signatureInvalid)),
        .header("kid unknown", #"{"alg":"HS256","typ":"session+jwt","kid":"k2"}"#, is: .refused(.signatureInvalid)),
        .header(
            "kid of the other key", #"{"alg":"HS256","typ":"session+jwt","kid":"k0"}"#, is: .refused(.signatureInvalid)),
        .header("kid twice", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","kid":"k1"}"#),
        .header("unknown member twice", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","x":1,"x":1}"#),
        .header("crit", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","crit":["exp"]}"#),
        .header("crit, escaped", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","cr\u0069t":["exp"]}"#),
        .header("b64", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","b64":false}"#),
        .header("jku", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","jku":"https://evil.example/keys"}"#),
        .header("jwk", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","jwk":{"kty":"oct","k":"AA"}}"#),
        .header("x5u", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","x5u":"https://evil.example/c"}"#),
        .header("x5c", #"{"alg":"HS256","typ":"session+jwt","kid":"k1","x5c":[]}"#),
        .header("no object", #"["alg","HS256"]"#),
        .header("trailing comma", #"{"alg":"HS256","typ":"session+jwt","kid":"k1",}"#),
        .header("trailing garbage", TokenFixture.header + "x"),
        .header("trailing NUL", TokenFixture.header + "\0"),
        .header("empty object", "{}"),
        TokenVector("header: 33 unknown members") {
            let more = (0..<33).map { ",\"x\($0)\":0" }.joined()
            return $0.token(header: String(TokenFixture.header.dropLast()) + more + "}", $0.payload())
        },
        TokenVector("header: invalid UTF-8") {
            let bytes = Array(TokenFixture.header.dropLast().utf8) + Array(#","x":""#.utf8) + [0xc3] + Array("\"}".utf8)
            return $0.token(header: bytes, payload: Array($0.payload().utf8))
        },
    ]
}
