// JSON in and out, and the reader of bodies: what is refused, and that it says where.

import CurfewCore
import Testing

@testable import CurfewNode

private func parse(_ text: String) -> JSONValue? {
    Array(text.utf8).withUnsafeBytes { try? JSONParser.parse($0) }
}

private func parse(_ bytes: [UInt8]) -> JSONValue? { bytes.withUnsafeBytes { try? JSONParser.parse($0) } }

@Suite("JSON") struct JSONTests {
    @Test("values come out as they are written")
    func values() {
        #expect(parse("null") == .null)
        #expect(parse(" true ") == .bool(true))
        #expect(parse("-0.5e+10") == .number("-0.5e+10"))
        #expect(parse("12345678901234567890123") == .number("12345678901234567890123"))
        #expect(parse(#""a\"\\\/\b\f\n\r\tA\u00e9\uD83D\uDE00é""#) == .string("a\"\\/\u{8}\u{C}\n\r\tAé😀é"))
        #expect(parse("[]") == .array([]))
        #expect(parse("[1,[ ],{}]") == .array([.number("1"), .array([]), .object([])]))
        #expect(parse(#"{"b":1,"a":null}"#) == .object([.init("b", .number("1")), .init("a", .null)]))
    }

    @Test(
        "what is not JSON is refused",
        arguments: [
            "", " ", "nul", "tru", "True", "+1", "01", "-", "1.", ".5", "1e", "1e+", "0x1", "NaN", "'a'", "\"a",
            "\"\\\"",
            "\"\\x\"", "\"\\u12\"", "\"\\uD800\"", "\"\\uD800x\"", "\"\\uD800\\u0041\"", "\"\\uDC00\"", "\"\u{1}\"",
            "\"\n\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{}}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "1 2", "null,", "[1]x", "// c\n1",
            "\u{FEFF}1",
        ])
    func refused(_ text: String) { #expect(parse(text) == nil) }

    @Test("bytes that are not UTF-8 are refused")
    func utf8() {
        #expect(parse([0x22, 0xFF, 0x22]) == nil)
        #expect(parse([0x22, 0xC0, 0x80, 0x22]) == nil)
        #expect(parse([0x22, 0xED, 0xA0, 0x80, 0x22]) == nil)
        #expect(parse([0x22, 0xC3, 0xA9, 0x22]) == .string("é"))
    }

    @Test("depth is bounded")
    func depth() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(parse(nested(JSONParser.maximumDepth)) != nil)
        #expect(parse(nested(JSONParser.maximumDepth + 1)) == nil)
        #expect(parse(nested(100_000)) == nil)
        #expect(parse(String(repeating: "{\"a\":", count: 100_000)) == nil)
    }

    @Test("what the writer writes, the parser reads")
    func roundTrip() {
        let value = JSONValue.object([
            .init("a\"\\\u{0}\u{1F}\n\r\té😀", .string("b\"\\\u{0}\u{7F}")), .init("n", .number("-1.5e3")),
            .init("l", .array([.null, .bool(false), .array([]), .object([])])),
        ])
        var writer = JSONWriter()
        writer.value(value)
        #expect(parse(writer.bytes) == value)
    }
}

@Suite("Bodies") struct BodyReaderTests {
    private func issue(_ text: String) -> Problem? {
        do {
            _ = try IssueRequest(json: Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test("the smallest and the largest issue are taken")
    func taken() throws {
        let small = try IssueRequest(json: Array(#"{"userId":"u"}"#.utf8))
        #expect(small.user.text == "u")
        #expect(small.kind == .web)
        #expect(small.device == nil)
        let large = try IssueRequest(
            json: Array(
                #"""
                {"userId":"u_42","deviceId":"phone","kind":"api","permissions":["docs:read"],"device":{"name":"Pixel 9",
                "platform":"android"},"ipAddress":"203.0.113.9","location":"Oslo, NO","userAgent":"x",
                "authMethods":["pwd","otp"],"attributes":{"plan":"pro","n":1.50},"tenantId":"acme"}
                """#.utf8))
        #expect(large.device?.text == "phone")
        #expect(large.tenant?.text == "acme")
        #expect(large.kind == .api)
        #expect(large.permissions.names == ["docs:read"])
        #expect(large.details.deviceName == "Pixel 9")
        #expect(large.details.authMethods == ["pwd", "otp"])
        #expect(large.details.attributesJSON == #"{"plan":"pro","n":1.50}"#)
    }

    private static let refused: [(String, ProblemCode, String)] = [
        ("", .malformedRequest, "the body is not JSON"),
        ("[]", .malformedRequest, "the body: expected an object, found an array"),
        ("{}", .malformedRequest, "userId: expected a string"),
        (#"{"userId":null}"#, .malformedRequest, "userId: expected a string"),
        (#"{"userId":1}"#, .malformedRequest, "userId: expected a string, found a number"),
        (#"{"userId":"a","userId":"b"}"#, .malformedRequest, "a member appears twice"),
        (#"{"userId":""}"#, .valueOutOfRange, "userId"),
        (#"{"userId":"a\u0000"}"#, .valueOutOfRange, "userId"),
        (#"{"userId":"\#(String(repeating: "a", count: 129))"}"#, .valueOutOfRange, "userId"),
        (#"{"userId":"a","user":"b"}"#, .unknownField, "user is not a field"),
        (
            #"{"userId":"a","fingerprint":"\#(String(repeating: "x", count: 257))"}"#, .valueOutOfRange,
            "fingerprint"
        ),
        (#"{"userId":"a","fingerprint":1}"#, .malformedRequest, "fingerprint: expected a string"),
        (#"{"userId":"a","actor":{}}"#, .unknownField, "actor"),
        (#"{"userId":"a","device":{"name":"x","model":"y"}}"#, .unknownField, "device.model"),
        (#"{"userId":"a","device":"x"}"#, .malformedRequest, "device: expected an object"),
        (#"{"userId":"a","device":{"name":1}}"#, .malformedRequest, "device.name: expected a string"),
        (#"{"userId":"a","kind":"mobile"}"#, .valueOutOfRange, "kind: expected one of web, remember, api"),
        (#"{"userId":"a","permissions":"x"}"#, .malformedRequest, "permissions: expected an array"),
        (#"{"userId":"a","permissions":[1]}"#, .malformedRequest, "permissions[0]"),
        (#"{"userId":"a","permissions":["a b"]}"#, .valueOutOfRange, "permissions"),
        (#"{"userId":"a","authMethods":["a b"]}"#, .valueOutOfRange, "authMethods"),
        (#"{"userId":"a","attributes":[]}"#, .malformedRequest, "attributes: expected an object"),
        (
            #"{"userId":"a","attributes":{"a":"\#(String(repeating: "x", count: 4096))"}}"#, .valueOutOfRange,
            "attributes"
        ),
        (#"{"userId":"a","location":"\#(String(repeating: "x", count: 129))"}"#, .valueOutOfRange, "location"),
    ]

    @Test("a wrong body gets its code and says where", arguments: refused.indices)
    func wrong(_ index: Int) {
        let (text, code, detail) = BodyReaderTests.refused[index]
        let problem = issue(text)
        #expect(problem?.code == code)
        #expect(problem?.detail.contains(detail) == true, "\(problem?.detail ?? "taken")")
    }

    @Test("a member's name that could be a secret is not repeated")
    func echo() {
        let secret = String(repeating: "s", count: 65)
        #expect(issue(#"{"userId":"a","\#(secret)":1}"#)?.detail.contains(secret) == false)
    }
}
