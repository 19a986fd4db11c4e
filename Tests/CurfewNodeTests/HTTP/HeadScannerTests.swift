// The head scanner against a table of heads: what is accepted, what is refused and how, and that the outcome is the same
// wherever the bytes were cut.

import Testing

@testable import CurfewNode

/// A head and what must become of it; `nil` is a whole, acceptable head.
struct HeadCase: Sendable, CustomTestStringConvertible {
    let name: String
    let head: String
    let refusal: ProblemCode?

    init(_ name: String, _ head: String, _ refusal: ProblemCode? = nil) {
        self.name = name
        self.head = head
        self.refusal = refusal
    }

    var testDescription: String { name }
}

func outcome(of head: [UInt8], cutAt cuts: [Int] = [], limits: HeadLimits = HeadLimits()) -> HeadScanner.Outcome {
    var scanner = HeadScanner(limits: limits)
    var outcome = HeadScanner.Outcome.incomplete
    for end in cuts + [head.count] {
        outcome = head[..<end].withUnsafeBytes { scanner.scan($0) }
        if outcome != .incomplete { return outcome }
    }
    return outcome
}

@Suite("Head scanner") struct HeadScannerTests {
    @Test("every head has its outcome, whole and cut at every byte", arguments: HeadTable.all)
    func table(_ row: HeadCase) {
        let bytes = Array(row.head.utf8)
        let whole = outcome(of: bytes)
        switch whole {
        case .incomplete: Issue.record("incomplete")
        case .complete(let head):
            #expect(row.refusal == nil)
            #expect(head.length <= bytes.count)
        case .refused(let refusal): #expect(refusal.code == row.refusal, "\(refusal.detail)")
        }
        for cut in 1..<bytes.count where outcome(of: bytes, cutAt: [cut]) != whole {
            Issue.record("cut at \(cut)")
        }
        #expect(outcome(of: bytes, cutAt: Array(1..<bytes.count)) == whole, "byte by byte")
    }

    @Test("a head of exactly the limit is taken, one more byte is refused, wherever it is cut")
    func limit() {
        let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: "
        let padding = 16 * 1024 - frame.utf8.count - 4
        for (extra, isTaken) in [(0, true), (1, false)] {
            let head = Array((frame + String(repeating: "x", count: padding + extra) + "\r\n\r\n").utf8)
            let whole = outcome(of: head)
            if case .complete = whole { #expect(isTaken) } else { #expect(!isTaken) }
            for cut in stride(from: 1, to: head.count, by: 97) { #expect(outcome(of: head, cutAt: [cut]) == whole) }
            for cut in (head.count - 8)..<head.count { #expect(outcome(of: head, cutAt: [cut]) == whole) }
        }
    }

    @Test("a head that never ends is refused at the limit")
    func endless() {
        let head = [UInt8](repeating: UInt8(ascii: "a"), count: 16 * 1024)
        guard case .refused(let refusal) = outcome(of: head) else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.code == .headTooLarge)
    }

    @Test("100 fields are taken, 101 are not")
    func fieldCount() {
        func head(_ count: Int) -> [UInt8] {
            let fields = (0..<(count - 1)).map { "X-\($0): y\r\n" }.joined()
            return Array("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8)
        }
        if case .complete = outcome(of: head(100)) {} else { Issue.record("100 fields refused") }
        guard case .refused(let refusal) = outcome(of: head(101)) else {
            Issue.record("101 fields taken")
            return
        }
        #expect(refusal.code == .headTooLarge)
    }

    @Test("what follows a head is not looked at")
    func pipelined() {
        let head = "GET /v1/validate HTTP/1.1\r\nHost: a\r\n\r\n"
        guard case .complete(let facts) = outcome(of: Array((head + "\u{0}\u{1} rubbish").utf8)) else {
            Issue.record("refused")
            return
        }
        #expect(facts.length == head.utf8.count)
    }
}

@Suite("What a head says") struct HeadFactsTests {
    private func head(_ text: String, limits: HeadLimits = HeadLimits()) throws -> (RequestHead, [UInt8]) {
        let bytes = Array(text.utf8)
        guard case .complete(let head) = outcome(of: bytes, limits: limits) else {
            throw Refusal.malformed("refused in a test")
        }
        return (head, bytes)
    }

    private func token(_ fields: String, limits: HeadLimits = HeadLimits()) throws -> String? {
        let (head, bytes) = try head("GET /v1/validate HTTP/1.1\r\nHost: a\r\n\(fields)\r\n", limits: limits)
        return bytes.withUnsafeBytes { bytes in
            FastPath.token(of: head, in: bytes).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test("a bearer token wins over the cookie, another scheme leaves it to count")
    func credentials() throws {
        #expect(try token("") == nil)
        #expect(try token("Authorization: Bearer abc\r\n") == "abc")
        #expect(try token("authorization: bEaReR   abc\r\n") == "abc")
        #expect(try token("Authorization: Bearer\r\n") == "")
        #expect(try token("Authorization: Bearerabc\r\n") == nil)
        #expect(try token("Cookie: __Host-curfew=c\r\nAuthorization: Bearer abc\r\n") == "abc")
        #expect(try token("Cookie: __Host-curfew=c\r\nAuthorization: Basic abc\r\n") == "c")
        #expect(try token("Cookie: a=b; __Host-curfew=c; d=e\r\n") == "c")
        #expect(try token("Cookie: a=b\r\nCookie: __Host-curfew=c\r\n") == "c")
        #expect(try token("Cookie: __Host-curfew=\r\n") == nil)
        #expect(try token("Cookie: a=b; __Host-curfew=\"c\"\r\n") == "c")
        #expect(try token("Cookie: __Host-curfew=\"c\"; __Host-curfew=c\r\n") == "c")
        #expect(try token("Cookie: __Host-curfew=\"\"\r\n") == nil)
        #expect(try token("Cookie: __Host-curfew=\"\r\n") == "\"")
        #expect(try token("Cookie: __Host-curfew=\"c\r\n") == "\"c")
        #expect(try token("Cookie: __host-curfew=c\r\n") == nil)
        #expect(try token("Cookie: curfew=c\r\n") == nil)
        #expect(try token("Cookie: curfew=c\r\n", limits: HeadLimits(acceptsInsecureCookie: true)) == "c")
    }

    @Test("the slow path finds the same token in the same fields")
    func sameToken() throws {
        let fields: [(authorization: String?, cookies: [String])] = [
            (nil, []), ("Bearer abc", []), ("Bearer", ["__Host-curfew=c"]), ("Basic x", ["__Host-curfew=c"]),
            (nil, ["a=b", "x=y;__Host-curfew=c ;z"]), ("Bearer  a b ", []), (nil, ["__Host-curfew==="]),
        ]
        for row in fields {
            var text = row.authorization.map { "Authorization: \($0)\r\n" } ?? ""
            for cookie in row.cookies { text += "Cookie: \(cookie)\r\n" }
            let trimmed = row.authorization.map { String($0.drop { $0 == " " }) }.map {
                $0.hasSuffix(" ") ? String($0.dropLast()) : $0
            }
            let slow = Credential.token(authorization: trimmed, cookies: row.cookies, acceptsInsecureName: false)
            #expect(try token(text) == slow.map { String(decoding: $0, as: UTF8.self) })
        }
    }

    @Test("only the plainest validate is left to the fast path")
    func plainValidate() throws {
        func isPlain(_ line: String, _ fields: String = "") throws -> Bool {
            let (head, bytes) = try head("\(line)\r\nHost: a\r\n\(fields)\r\n")
            return bytes.withUnsafeBytes { head.isPlainValidate(in: $0) }
        }
        #expect(try isPlain("GET /v1/validate HTTP/1.1"))
        #expect(try isPlain("POST /v1/validate HTTP/1.1"))
        #expect(try isPlain("POST /v1/validate HTTP/1.1", "Content-Length: 0\r\n"))
        #expect(try isPlain("GET /v1/validate HTTP/1.1", "Curfew-Activity: none\r\nX-Csrf-Token: a\r\n"))
        #expect(try !isPlain("HEAD /v1/validate HTTP/1.1"))
        #expect(try !isPlain("GET /v1/validate HTTP/1.0"))
        #expect(try !isPlain("GET /v1/validate? HTTP/1.1"))
        #expect(try !isPlain("GET /v1/validate/ HTTP/1.1"))
        #expect(try !isPlain("POST /v1/validate HTTP/1.1", "Content-Length: 1\r\n"))
        #expect(try !isPlain("POST /v1/validate HTTP/1.1", "Transfer-Encoding: chunked\r\n"))
        #expect(try !isPlain("GET /v1/validate HTTP/1.1", "Expect: 100-continue\r\n"))
        for field in [
            "Curfew-At-Least: 1", "Curfew-Consistency: strict", "Curfew-Activity: x",
            "Curfew-Fingerprint: \(String(repeating: "f", count: 257))",
        ] {
            #expect(try !isPlain("GET /v1/validate HTTP/1.1", "\(field)\r\n"))
        }
    }

    @Test("a fingerprint of up to 256 bytes is left to the fast path, which gets its value")
    func fingerprint() throws {
        for count in [0, 1, 256] {
            let text =
                "GET /v1/validate HTTP/1.1\r\nHost: a\r\nCurfew-Fingerprint:  \(String(repeating: "f", count: count)) \r\n\r\n"
            guard case .complete(let head) = outcome(of: Array(text.utf8)) else {
                Issue.record("no head")
                continue
            }
            let isPlain = Array(text.utf8).withUnsafeBytes { head.isPlainValidate(in: $0) }
            #expect(isPlain && head.fingerprint?.count == count)
        }
    }

    @Test("the connection's fate is what the fields say")
    func connection() throws {
        func fate(_ version: String, _ fields: String) throws -> (Bool, Bool) {
            let (head, _) = try head("GET / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n")
            return (head.closes, head.keepsAlive)
        }
        #expect(try fate("1.1", "") == (false, false))
        #expect(try fate("1.1", "Connection: close\r\n") == (true, false))
        #expect(try fate("1.1", "Connection: Keep-Alive , CLOSE\r\n") == (true, false))
        #expect(try fate("1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n") == (false, false))
        #expect(try fate("1.0", "") == (true, false))
        #expect(try fate("1.0", "Connection: keep-alive\r\n") == (false, true))
    }

    @Test("fields are given out in order, without the blanks around their values")
    func fields() throws {
        let (head, bytes) = try head("GET / HTTP/1.1\r\nHost: a\r\nA:  b c \t\r\nEmpty:\r\n\r\n")
        var fields: [String] = []
        bytes.withUnsafeBytes { bytes in
            head.forEachField(in: bytes) { name, value in
                fields.append("\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))")
            }
        }
        #expect(fields == ["Host=a", "A=b c", "Empty="])
    }
}
