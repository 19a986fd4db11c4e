// Where bodies end, and what is refused on the way there: the same wherever the bytes were cut.

import Testing

@testable import CurfewNode

private enum Result: Equatable {
    case body(String, rest: Int)
    case incomplete
    case refused(ProblemCode)
}

private func read(_ kind: BodyKind, limit: Int = 1024, _ bytes: [UInt8], cutAt cuts: [Int] = []) -> Result {
    guard var framing = BodyFraming(kind, limit: limit) else { return .body("", rest: bytes.count) }
    var start = 0
    var content: [UInt8] = []
    for end in cuts + [bytes.count] {
        var isWaiting = false
        while !isWaiting {
            switch bytes[start..<end].withUnsafeBytes({ framing.next($0) }) {
            case .needsMore: isWaiting = true
            case .skip(let count): start += count
            case .data(let count):
                content += bytes[start..<(start + count)]
                start += count
            case .end: return .body(String(decoding: content, as: UTF8.self), rest: bytes.count - start)
            case .refused(let refusal): return .refused(refusal.code)
            }
        }
    }
    return .incomplete
}

@Suite("Body framing") struct BodyFramingTests {
    private static let chunked: [(String, Result)] = [
        ("0\r\n\r\n", .body("", rest: 0)),
        ("5\r\nhello\r\n0\r\n\r\n", .body("hello", rest: 0)),
        ("5\r\nhello\r\n0\r\n\r\nGET", .body("hello", rest: 3)),
        ("00A\r\n0123456789\r\n1\r\n!\r\n000\r\n\r\n", .body("0123456789!", rest: 0)),
        ("5\r\nhel", .incomplete),
        ("5\r\nhello\r\n0\r\n", .incomplete),
        ("g\r\n", .refused(.malformedRequest)),
        ("\r\n", .refused(.malformedRequest)),
        ("-1\r\n", .refused(.malformedRequest)),
        ("+5\r\nhello\r\n", .refused(.malformedRequest)),
        ("0x5\r\nhello\r\n", .refused(.malformedRequest)),
        (" 5\r\nhello\r\n", .refused(.malformedRequest)),
        ("5 \r\nhello\r\n", .refused(.malformedRequest)),
        ("5;a=b\r\nhello\r\n0\r\n\r\n", .refused(.malformedRequest)),
        ("5\nhello\r\n", .refused(.malformedRequest)),
        ("5\rhello", .refused(.malformedRequest)),
        ("5\r\nhello0\r\n\r\n", .refused(.malformedRequest)),
        ("5\r\nhello\n0\r\n\r\n", .refused(.malformedRequest)),
        ("5\r\nhello\r0\r\n\r\n", .refused(.malformedRequest)),
        ("0\r\nTrailer: x\r\n\r\n", .refused(.malformedRequest)),
        ("0\r\n\n", .refused(.malformedRequest)),
        ("000000005\r\nhello\r\n", .refused(.malformedRequest)),
        ("FFFFFFFF\r\n", .refused(.bodyTooLarge)),
        ("401\r\n", .refused(.bodyTooLarge)),
    ]

    @Test("chunks are read by the letter, whole and cut at every byte", arguments: chunked.indices)
    fileprivate func chunks(_ index: Int) {
        let (text, expected) = BodyFramingTests.chunked[index]
        let bytes = Array(text.utf8)
        #expect(read(.chunked, bytes) == expected)
        for cut in 1..<bytes.count { #expect(read(.chunked, bytes, cutAt: [cut]) == expected, "cut at \(cut)") }
        #expect(read(.chunked, bytes, cutAt: Array(1..<bytes.count)) == expected, "byte by byte")
    }

    @Test("a length is counted to the byte")
    func length() {
        #expect(read(.length(5), Array("helloGET".utf8)) == .body("hello", rest: 3))
        #expect(read(.length(5), Array("hell".utf8)) == .incomplete)
        #expect(read(.length(5), Array("hello".utf8), cutAt: [1, 2, 3, 4]) == .body("hello", rest: 0))
        #expect(read(.length(5), limit: 4, Array("hello".utf8)) == .refused(.bodyTooLarge))
        #expect(read(.none, Array("GET".utf8)) == .body("", rest: 3))
    }

    @Test("the limit counts all chunks together")
    func limit() {
        let text = Array("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n".utf8)
        #expect(read(.chunked, limit: 6, text) == .body("abcdef", rest: 0))
        #expect(read(.chunked, limit: 5, text) == .refused(.bodyTooLarge))
    }
}
