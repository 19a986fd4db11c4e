// What the scanner learns of one request head, as numbers and ranges into the head's own bytes: no text is copied, so a
// head that the fast path answers costs no allocation. The ranges count from the first byte of the head.

/// A piece of a head.
struct ByteSpan: Equatable, Sendable {
    var start = 0
    var count = 0

    init(_ range: Range<Int>) {
        start = range.lowerBound
        count = range.count
    }

    var range: Range<Int> { start..<(start + count) }

    func bytes(in head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer { head.slice(range) }
}

/// How a request's body is framed.
enum BodyKind: Equatable, Sendable {
    case none
    /// More than zero bytes.
    case length(Int)
    case chunked
}

/// A request head that keeps every rule.
struct RequestHead: Equatable, Sendable {
    /// Bytes of the whole head with its empty line.
    var length = 0
    /// An empty line that preceded the request line, as RFC 9112 section 2.2 lets clients send.
    var skipped = 0
    var method = ByteSpan(0..<0)
    var target = ByteSpan(0..<0)
    /// From the first field line to before the empty line.
    var fields = ByteSpan(0..<0)
    var isHTTP10 = false
    var body = BodyKind.none
    var host: ByteSpan?
    /// The value of `Authorization`, whatever its scheme.
    var authorization: ByteSpan?
    /// The session cookie's value; empty counts as absent.
    var cookie: ByteSpan?
    /// The connection ends after the answer: `Connection: close`, or 1.0 without `keep-alive`.
    var closes = false
    /// `Connection: keep-alive` on 1.0: the answer says so too.
    var keepsAlive = false
    var expectsContinue = false
    /// `Curfew-Activity: none`: validating this says nothing of the session's use.
    var isNoActivity = false
    /// The value of `Curfew-Fingerprint`, of at most 256 bytes.
    var fingerprint: ByteSpan?
    /// A field that the fast path doesn't understand.
    var needsSlowPath = false

    /// `GET` or `POST` of the validate path, of which nothing is left to understand.
    func isPlainValidate(in head: UnsafeRawBufferPointer) -> Bool {
        guard !isHTTP10, body == .none, !expectsContinue, !needsSlowPath,
            target.bytes(in: head).equals("/v1/validate")
        else { return false }
        let method = method.bytes(in: head)
        return method.equals("GET") || method.equals("POST")
    }

    /// Each field in order, its value without the blanks around it.
    func forEachField(
        in head: UnsafeRawBufferPointer,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        var start = fields.start
        let end = fields.start + fields.count
        while start < end {
            var lineEnd = start
            while head[lineEnd] != .carriageReturn { lineEnd += 1 }
            let line = head.slice(start..<lineEnd)
            if let colon = line.firstIndex(of: .colon) {
                let value = line.slice((colon + 1)..<line.count)
                body(line.slice(0..<colon), value.slice(value.trimmedBlanks))
            }
            start = lineEnd + 2
        }
    }
}

/// Why the bytes of a client are not a request. The connection ends after the answer: what follows can't be trusted.
struct Refusal: Error, Equatable, Sendable {
    let code: ProblemCode
    /// Never holds what the client sent.
    let detail: String

    init(_ code: ProblemCode, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    static func malformed(_ detail: String) -> Refusal { Refusal(.malformedRequest, detail) }
}
