// What a request head adds up to, line by line: the rules of each field that framing or identity hangs on. A field that
// appears here can't be said twice with two meanings; every other field is only held to its syntax.

import CurfewCore

struct HeadFacts: Sendable {
    var head = RequestHead()
    var fieldCount = 0
    private var contentLength: Int?
    private var isChunked = false
    private var hasOurs = false
    private var saysClose = false
    private var saysKeepAlive = false

    static let notARequestLine = Refusal.malformed("the request line is not: method, path, HTTP/1.1")

    /// `method SP origin-form SP HTTP/1.1`, RFC 9112 section 3, with single spaces.
    mutating func takeRequestLine(_ line: Range<Int>, of bytes: UnsafeRawBufferPointer) throws(Refusal) {
        let text = bytes.slice(line)
        guard let firstSpace = text.firstIndex(of: .space), firstSpace > 0,
            text[..<firstSpace].allSatisfy(\.isTokenCharacter),
            let lastSpace = text.lastIndex(of: .space), lastSpace > firstSpace + 1
        else { throw HeadFacts.notARequestLine }
        let version = text.slice((lastSpace + 1)..<text.count)
        if version.equals("HTTP/1.0") {
            head.isHTTP10 = true
        } else if !version.equals("HTTP/1.1") {
            throw .malformed("the HTTP version is not 1.1 or 1.0")
        }
        let target = text.slice((firstSpace + 1)..<lastSpace)
        guard target[0] == UInt8(ascii: "/"), target.allSatisfy(\.isTargetCharacter) else {
            throw .malformed("the request target is not a path, or holds characters that a path can't")
        }
        head.method = ByteSpan(line.lowerBound..<(line.lowerBound + firstSpace))
        head.target = ByteSpan((line.lowerBound + firstSpace + 1)..<(line.lowerBound + lastSpace))
    }

    /// `name: value`, RFC 9112 section 5.
    mutating func takeField(
        _ line: Range<Int>, of bytes: UnsafeRawBufferPointer, _ limits: HeadLimits
    ) throws(Refusal) {
        let text = bytes.slice(line)
        guard !text[0].isBlank else { throw .malformed("a header field is folded over lines") }
        guard let colon = text.firstIndex(of: .colon), colon > 0, text[..<colon].allSatisfy(\.isTokenCharacter) else {
            throw .malformed("a header field's name is empty, or holds characters that a name can't")
        }
        let rest = text.slice((colon + 1)..<text.count)
        guard rest.isFieldValue else { throw .malformed("a header field's value holds control characters") }
        let trimmed = rest.trimmedBlanks
        let start = line.lowerBound + colon + 1 + trimmed.lowerBound
        let field = Field(name: text.slice(0..<colon), value: ByteSpan(start..<(start + trimmed.count)), line: line)
        try take(field, of: bytes, limits)
    }

    private struct Field {
        let name: UnsafeRawBufferPointer
        let value: ByteSpan
        let line: Range<Int>
    }

    /// First letter, then length, so that a field of no interest costs one comparison.
    private mutating func take(
        _ field: Field, of bytes: UnsafeRawBufferPointer, _ limits: HeadLimits
    ) throws(Refusal) {
        let name = field.name
        let value = field.value.bytes(in: bytes)
        switch name[0] | 0x20 {
        case UInt8(ascii: "h") where name.equalsIgnoringCase("host"):
            guard head.host == nil else { throw .malformed("several Host fields") }
            head.host = field.value
        case UInt8(ascii: "a") where name.equalsIgnoringCase("authorization"):
            guard head.authorization == nil else { throw .malformed("several Authorization fields") }
            head.authorization = field.value
        case UInt8(ascii: "c"):
            if name.equalsIgnoringCase("cookie") {
                try takeCookie(field.value, of: bytes, acceptsInsecureCookie: limits.acceptsInsecureCookie)
            } else if name.equalsIgnoringCase("content-length") {
                try takeContentLength(value)
            } else if name.equalsIgnoringCase("connection") {
                takeConnection(value)
            } else if name.hasPrefixIgnoringCase("curfew-") {
                try takeOurs(field, of: bytes)
            }
        case UInt8(ascii: "t") where name.equalsIgnoringCase("transfer-encoding"):
            guard !isChunked, value.equalsIgnoringCase("chunked") else {
                throw .malformed("a Transfer-Encoding other than chunked, once")
            }
            isChunked = true
        case UInt8(ascii: "e") where name.equalsIgnoringCase("expect"):
            guard value.equalsIgnoringCase("100-continue") else {
                throw .malformed("an Expect other than 100-continue")
            }
            head.expectsContinue = true
        case UInt8(ascii: "o") where limits.answersOrigins && name.equalsIgnoringCase("origin"):
            head.needsSlowPath = true
        case UInt8(ascii: "x") where name.equalsIgnoringCase("x-csrf-token"):
            try takeOurs(field, of: bytes)
        default: break
        }
    }

    private mutating func takeCookie(
        _ value: ByteSpan, of bytes: UnsafeRawBufferPointer, acceptsInsecureCookie: Bool
    ) throws(Refusal) {
        var found = head.cookie
        let isConsistent = Credential.sessionCookies(
            in: value.bytes(in: bytes), acceptsInsecureName: acceptsInsecureCookie
        ) { range in
            let span = ByteSpan((value.start + range.lowerBound)..<(value.start + range.upperBound))
            guard let earlier = found else {
                found = span
                return true
            }
            return earlier.bytes(in: bytes).elementsEqual(span.bytes(in: bytes))
        }
        guard isConsistent else { throw .malformed("several session cookies that differ") }
        head.cookie = found
    }

    private mutating func takeContentLength(_ value: UnsafeRawBufferPointer) throws(Refusal) {
        guard contentLength == nil else { throw .malformed("several Content-Length fields") }
        guard !value.isEmpty, value.count <= 15, value.allSatisfy(\.isDigit) else {
            throw .malformed("a Content-Length that is not a plain number")
        }
        contentLength = value.reduce(0) { $0 * 10 + Int($1 - 48) }
    }

    private mutating func takeConnection(_ value: UnsafeRawBufferPointer) {
        for option in value.split(separator: UInt8(ascii: ",")) {
            let bytes = UnsafeRawBufferPointer(rebasing: option)
            let word = bytes.slice(bytes.trimmedBlanks)
            if word.equalsIgnoringCase("close") { saysClose = true }
            if word.equalsIgnoringCase("keep-alive") { saysKeepAlive = true }
        }
    }

    /// `Curfew-…` and `X-CSRF-Token`: once each, but for `Curfew-Require`, which adds up. `Curfew-Activity: none` and a fingerprint leave
    /// the fast path open.
    private mutating func takeOurs(_ field: Field, of bytes: UnsafeRawBufferPointer) throws(Refusal) {
        if hasOurs, !field.name.equalsIgnoringCase("curfew-require") {
            var earlier = head
            earlier.fields.count = field.line.lowerBound - head.fields.start
            var isRepeated = false
            earlier.forEachField(in: bytes) { name, _ in isRepeated = isRepeated || name.equalsIgnoringCase(field.name)
            }
            guard !isRepeated else { throw .malformed("a header field of Curfew's own appears twice") }
        }
        hasOurs = true
        if field.name.equalsIgnoringCase("curfew-activity"), field.value.bytes(in: bytes).equals("none") {
            head.isNoActivity = true
        } else if field.name.equalsIgnoringCase("curfew-fingerprint"),
            field.value.count <= KeyRing.maximumFingerprintBytes
        {
            head.fingerprint = field.value
        } else if !field.name.equalsIgnoringCase("x-csrf-token") {
            head.needsSlowPath = true
        }
    }

    /// The rules that only the whole head can be held to.
    mutating func finished(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> RequestHead {
        if let host = head.host {
            guard host.bytes(in: bytes).isAuthority else {
                throw .malformed("the Host field is not a host")
            }
        } else if !head.isHTTP10 {
            throw .malformed("no Host field")
        }
        guard !(isChunked && contentLength != nil) else {
            throw .malformed("both Content-Length and Transfer-Encoding")
        }
        guard !(isChunked && head.isHTTP10) else { throw .malformed("Transfer-Encoding with HTTP/1.0") }
        if isChunked {
            head.body = .chunked
        } else if let contentLength, contentLength > 0 {
            head.body = .length(contentLength)
        }
        head.closes = saysClose || (head.isHTTP10 && !saysKeepAlive)
        head.keepsAlive = head.isHTTP10 && !head.closes
        if head.isHTTP10 { head.expectsContinue = false }
        return head
    }
}
