// Claims: each missing, each of the wrong type, each just inside and just outside of what it may say.

import Testing

@testable import CurfewCore

extension TokenVector {
    static let claims: [TokenVector] =
        ["iss", "aud", "sub", "sid", "iat", "exp", "knd", "stp", "prm", "prv"].map { .claim($0, nil) }
        + ["iat", "exp", "stp", "prv"].flatMap { member in
            [
                "-1", "1.0", "1e3", "01", "0000000000000001", "1234567:", "1234567/", "12345678;",
                "9223372036854775808",
                "99999999999999999999999", "18446744073709551617", "\"1\"", "null", "true", "",
            ].map { .claim(member, $0) }
        }
        // In the device and the tenant too: a wrong user would be refused for living in another partition.
        + ["sub", "did", "ten"].flatMap { member in
            [
                #""""#, "42", "null", "[]", #""\u0000""#, #""\u0085""#, #""a\n""#, "\"a\u{7f}\"", "\"a\u{85}\"",
                "\"a\tb\"",
                #""\ud800""#, #""\ud800x""#, #""\ud800\u0041""#, #""\ud800\n""#, #""\udc00""#, #""\udc00\ud800""#,
                #""\x41""#, #""\u004""#, #""\u00g1""#, #""\""#, "'a'", "\"\(String(repeating: "u", count: 129))\"",
                "\"\(String(repeating: "\\u0075", count: 129))\"",
            ].map { .claim(member, $0) }
        }
        + [
            .claim("did", nil, is: .active), .claim("ten", nil, is: .active), .claim("prm", "[]", is: .active),
            .claim("exp", "9223372036854775807", is: .active), .claim("prv", "9223372036854775807", is: .active),
            .claim("stp", "0", is: .active), .claim("stp", "12345678", is: .active),
            .claim("iss", #""curfew2""#), .claim("iss", #""Curfew""#), .claim("iss", "1"),
            .claim("iss", #""c\u0075rfew""#, is: .active), .claim("iss", #""""#),
            .claim("aud", #""other""#), .claim("aud", #"["curfew"]"#), .claim("aud", #""curfe""#),
            // Another user of another partition: the session's partition is not this user's.
            .claim("sub", #""u_43""#),
            .claim("sid", #""ses_""#), .claim("sid", "1"), .claim("sid", #""ses_0000000000000000000000000""#),
            .claim("sid", #""ses_zz0000000000000000000000""#), .claim("sid", #""SES_000000000000000000000000""#),
            .claim("knd", #""admin""#), .claim("knd", #""WEB""#), .claim("knd", "null"),
            .claim("knd", #""remember""#, is: .active), .claim("knd", #""api""#, is: .active),
            .claim("prm", "null"), .claim("prm", #""docs:read""#), .claim("prm", #"[""]"#), .claim("prm", "[1]"),
            .claim("prm", #"["a",]"#), .claim("prm", #"[,"a"]"#), .claim("prm", #"["a" "b"]"#),
            .claim("prm", #"["a b"]"#),
            .claim("prm", #"["a,b"]"#), .claim("prm", #"["a\"b"]"#), .claim("prm", #"["a\\b"]"#),
            .claim("prm", #"["é"]"#),
            .claim("prm", #"["a""#), .claim("prm", "[\"\(String(repeating: "p", count: 129))\"]"),
            .claim("prm", "[\(Array(repeating: "\"p\"", count: 257).joined(separator: ","))]"),
            .claim("prm", "[\(Array(repeating: "\"p\"", count: 256).joined(separator: ","))]", is: .active),
            .claim("prm", #" [ "docs:read" , "a\/b" ] "#, is: .active),
            .payload("nbf in the future") { $0.payload(appending: #","nbf":\#(TokenFixture.wall.seconds + 11)"#) },
            .payload("nbf within the leeway", is: .active) {
                $0.payload(appending: #","nbf":\#(TokenFixture.wall.seconds + 10)"#)
            },
        ]
}
