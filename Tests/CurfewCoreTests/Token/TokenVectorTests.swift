// Tokens that must be refused, each properly signed unless the signature is the point, so that nothing but the one
// fault can be the reason; and tokens that look odd and must be accepted, so that the refusals are no accident.

import Testing

@testable import CurfewCore

/// One token, and what the verdict must be.
struct TokenVector: Sendable, CustomTestStringConvertible {
    let name: String
    let expected: Outcome
    let make: @Sendable (TokenFixture) -> [UInt8]

    /// Without `expected` it must be refused as malformed.
    init(
        _ name: String, _ expected: Outcome = .refused(.malformed),
        _ make: @escaping @Sendable (TokenFixture) -> [UInt8]
    ) {
        self.name = name
        self.expected = expected
        self.make = make
    }

    var testDescription: String { name }

    static func header(_ name: String, _ header: String, is expected: Outcome = .refused(.malformed)) -> TokenVector {
        TokenVector("header: " + name, expected) { $0.token(header: header, $0.payload()) }
    }

    static func claim(
        _ member: String, _ value: String?, is expected: Outcome = .refused(.malformed)
    ) -> TokenVector {
        TokenVector("claim \(member): \(value ?? "missing")", expected) { $0.token($0.payload([member: value])) }
    }

    static func payload(
        _ name: String, is expected: Outcome = .refused(.malformed),
        _ make: @escaping @Sendable (TokenFixture) -> String
    ) -> TokenVector {
        TokenVector("payload: " + name, expected) { $0.token(make($0)) }
    }
}

@Suite struct TokenVectorTests {
    @Test(
        "a header that RFC 8725 warns of is refused, and an unusual one that it does not is read",
        arguments: TokenVector.headers)
    func header(vector: TokenVector) throws { try check(vector) }

    @Test("claims that are missing, wrong or not in the one form are refused", arguments: TokenVector.claims)
    func claim(vector: TokenVector) throws { try check(vector) }

    @Test("a payload that is not one strict JSON object is refused", arguments: TokenVector.payloads)
    func payload(vector: TokenVector) throws { try check(vector) }

    @Test("a token of another shape or size is refused", arguments: TokenVector.shapes)
    func shape(vector: TokenVector) throws { try check(vector) }

    private func check(_ vector: TokenVector) throws {
        let fixture = try TokenFixture()
        #expect(fixture.verdict(vector.make(fixture)) == vector.expected)
    }
}
