// Payloads: JSON that is not strict, not one object, not UTF-8, or says something twice.

import Testing

@testable import CurfewCore

extension TokenVector {
    static let payloads: [TokenVector] =
        [
            .payload("spaces", is: .active) {
                $0.payload().replacing(",", with: " ,\n ").replacing("\":", with: "\"\t: ")
            },
            .payload("unknown members", is: .active) {
                $0.payload(appending: #","x":-1.5e+3,"yy":[true,false,null,{"sub":"z"}],"sub2":"é😀\ud83d\ude00","":0"#)
            },
            .payload("nested 8 deep", is: .active) { $0.payload(appending: #","x":[[[[[[[[1]]]]]]]]"#) },
            .payload("nested 9 deep") { $0.payload(appending: #","x":[[[[[[[[[1]]]]]]]]]"#) },
            .payload("nested 1,000 deep") {
                $0.payload(["prm": "[]"], appending: #","x":"# + String(repeating: "[", count: 1000))
            },
            .payload("unknown member twice") { $0.payload(appending: #","x":1,"y":2,"x":1"#) },
            .payload("a name with an escape") { $0.payload(appending: #","\u0078":1"#) },
            .payload("sub once more, escaped") { $0.payload(appending: #","su\u0062":"u_42""#) },
            .payload("33 unknown members") { $0.payload(appending: (0..<33).map { ",\"x\($0)\":0" }.joined()) },
            .payload("32 unknown members", is: .active) {
                $0.payload(appending: (0..<32).map { ",\"x\($0)\":0" }.joined())
            },
            .payload("bad number in unknown member") { $0.payload(appending: #","x":1."#) },
            .payload("bad literal in unknown member") { $0.payload(appending: #","x":nul"#) },
            .payload("bare word") { $0.payload(appending: #","x":y"#) },
            .payload("single quotes") { $0.payload(appending: #",'x':1"#) },
            .payload("comment") { $0.payload() + "/**/" },
            .payload("trailing brace") { $0.payload() + "}" },
            .payload("trailing NUL") { $0.payload() + "\0" },
            .payload("NUL and a second object") { $0.payload() + "\0{}" },
            .payload("trailing space", is: .active) { $0.payload() + " \n" },
            .payload("byte order mark") { "\u{feff}" + $0.payload() },
            .payload("trailing comma") { $0.payload(appending: ",") },
            .payload("no closing brace") { String($0.payload().dropLast()) },
            .payload("no opening brace") { String($0.payload().dropFirst()) },
            .payload("missing colon") { $0.payload().replacing(#""knd":"#, with: #""knd""#) },
            .payload("an array") { "[\($0.payload())]" },
            .payload("a string") { _ in #""curfew""# },
            .payload("an empty object") { _ in "{}" },
            .payload("spaces only") { _ in "   " },
        ]
        + ["iss", "aud", "sub", "sid", "iat", "exp", "knd", "stp", "did", "ten", "prm", "prv"].map { name in
            .payload("\(name) twice") { fixture in
                let payload = fixture.payload()
                let member = payload.dropFirst().dropLast().split(separator: ",\"").first { $0.contains(name + "\":") }
                guard let member else { return payload }
                let quoted = member.hasPrefix("\"") ? String(member) : "\"" + member
                return fixture.payload(appending: "," + (name == "prm" ? #""prm":[]"# : quoted))
            }
        }
        + [
            [0xff], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
            [0xf0, 0x80, 0x80, 0x80],
            [0xc3], [0xe2, 0x82], [0x80], [0xf5, 0x80, 0x80, 0x80],
        ].map { (bytes: [UInt8]) in
            TokenVector("payload: invalid UTF-8 \(bytes)") { fixture in
                let payload =
                    Array(fixture.payload().dropLast().utf8) + Array(#","x":""#.utf8) + bytes + Array("\"}".utf8)
                return fixture.token(header: Array(TokenFixture.header.utf8), payload: payload)
            }
        }
}
