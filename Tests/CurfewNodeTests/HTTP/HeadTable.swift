// Heads and what must become of them. Everything ambiguous is refused: what two servers could read in two ways is how
// one request is smuggled inside of another.

@testable import CurfewNode

enum HeadTable {
    static let all = accepted + requestLines + framing + fields + identity

    private static func get(_ fields: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n" }
    private static func post(_ fields: String) -> String { "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n" }

    private static let accepted: [HeadCase] = [
        HeadCase("the smallest head", get("")),
        HeadCase("a host with a port", "GET / HTTP/1.1\r\nHost: a.example:65535\r\n\r\n"),
        HeadCase("a host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n"),
        HeadCase("an address", "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"),
        HeadCase("1.0 without a host", "GET / HTTP/1.0\r\n\r\n"),
        HeadCase("1.0 with a host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
        HeadCase("one empty line before the request line", "\r\n" + get("")),
        HeadCase("an unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
        HeadCase("a lower-case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n"),
        HeadCase("a query", "GET /a?b=c&d=%20 HTTP/1.1\r\nHost: a\r\n\r\n"),
        HeadCase("an IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
        HeadCase("an empty value", get("X:\r\n")),
        HeadCase("no blank after the colon", get("X:y\r\n")),
        HeadCase("tabs in a value", get("X:\ta\tb\r\n")),
        HeadCase("bytes beyond ASCII in a value", get("X: é\r\n")),
        HeadCase("every odd character that a name may have", get("!#$%&'*+-.^_`|~: y\r\n")),
        HeadCase("a foreign field twice", get("X: 1\r\nX: 2\r\n")),
        HeadCase("a length", post("Content-Length: 5\r\n")),
        HeadCase("a length of zero", post("Content-Length: 0\r\n")),
        HeadCase("a length with leading zeros", post("Content-Length: 005\r\n")),
        HeadCase("chunked", post("Transfer-Encoding: chunked\r\n")),
        HeadCase("chunked in capitals", post("TRANSFER-ENCODING: Chunked\r\n")),
        HeadCase("100-continue", post("Expect: 100-continue\r\nContent-Length: 5\r\n")),
        HeadCase("the same session cookie twice", get("Cookie: __Host-curfew=a; __Host-curfew=a\r\n")),
        HeadCase("a cookie named almost like ours", get("Cookie: __Host-curfew=a; __Host-curfew2=b\r\n")),
        HeadCase("curfew is not the session cookie", get("Cookie: curfew=a; curfew=b\r\n")),
        HeadCase("fields of ours, each once", get("Curfew-At-Least: 1\r\nCurfew-Consistency: strict\r\n")),
        HeadCase("an upgrade that nobody takes", get("Connection: Upgrade\r\nUpgrade: h2c\r\n")),
    ]

    private static let requestLines: [HeadCase] = [
        HeadCase("nothing but lines", "\r\n\r\n\r\n", .malformedRequest),
        HeadCase("two empty lines first", "\r\n\r\n" + get(""), .malformedRequest),
        HeadCase("only a method", "GET\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("no version", "GET /\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("no target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("two blanks before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a blank first", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a blank last", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a method that is none", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("version 0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("version 2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("version 1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("version 01.1", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("another protocol", "GET / ICY/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .malformedRequest),
        HeadCase("TLS", "\u{16}\u{3}\u{1}\r\n\r\n", .malformedRequest),
        HeadCase("NUL first", "\u{0}GET / HTTP/1.1\r\n\r\n", .malformedRequest),
        HeadCase("an absolute target", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("an asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("an authority", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a quote in the target", "GET /\"a HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a backslash in the target", "GET /\\a HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("bytes beyond ASCII in the target", "GET /é HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("a control character in the target", "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("DEL in the target", "GET /\u{7F} HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
    ]

    private static let framing: [HeadCase] = [
        HeadCase("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", .malformedRequest),
        HeadCase("bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", .malformedRequest),
        HeadCase("bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequest),
        HeadCase("bare CR in a value", get("X: a\rb\r\n"), .malformedRequest),
        HeadCase("bare CR in a name", get("X\r: a\r\n"), .malformedRequest),
        HeadCase("two CR at a line's end", get("X: a\r\r\n"), .malformedRequest),
        HeadCase("length and chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), .malformedRequest),
        HeadCase("chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), .malformedRequest),
        HeadCase(
            "chunked and length 0", post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), .malformedRequest),
        HeadCase("two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n"), .malformedRequest),
        HeadCase("the same length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n"), .malformedRequest),
        HeadCase("lengths in a list", post("Content-Length: 5, 5\r\n"), .malformedRequest),
        HeadCase("a length with a sign", post("Content-Length: +5\r\n"), .malformedRequest),
        HeadCase("a negative length", post("Content-Length: -5\r\n"), .malformedRequest),
        HeadCase("a hexadecimal length", post("Content-Length: 0x5\r\n"), .malformedRequest),
        HeadCase("a length with a point", post("Content-Length: 5.0\r\n"), .malformedRequest),
        HeadCase("a length with a blank in it", post("Content-Length: 5 0\r\n"), .malformedRequest),
        HeadCase("an empty length", post("Content-Length:\r\n"), .malformedRequest),
        HeadCase("a length beyond 64 bits", post("Content-Length: 99999999999999999999\r\n"), .malformedRequest),
        HeadCase("a length in other digits", post("Content-Length: ５\r\n"), .malformedRequest),
        HeadCase("gzip", post("Transfer-Encoding: gzip\r\n"), .malformedRequest),
        HeadCase("gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), .malformedRequest),
        HeadCase("chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n"), .malformedRequest),
        HeadCase(
            "chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), .malformedRequest),
        HeadCase("xchunked", post("Transfer-Encoding: xchunked\r\n"), .malformedRequest),
        HeadCase("quoted chunked", post("Transfer-Encoding: \"chunked\"\r\n"), .malformedRequest),
        HeadCase("identity", post("Transfer-Encoding: identity\r\n"), .malformedRequest),
        HeadCase("an empty coding", post("Transfer-Encoding:\r\n"), .malformedRequest),
        HeadCase("chunked with 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .malformedRequest),
        HeadCase("an expectation nobody knows", post("Expect: 200-ok\r\n"), .malformedRequest),
    ]

    private static let fields: [HeadCase] = [
        HeadCase("a space before the colon", get("X : y\r\n"), .malformedRequest),
        HeadCase("a tab before the colon", get("X\t: y\r\n"), .malformedRequest),
        HeadCase("a space before the length's colon", post("Content-Length : 5\r\n"), .malformedRequest),
        HeadCase("no colon", get("X\r\n"), .malformedRequest),
        HeadCase("no name", get(": y\r\n"), .malformedRequest),
        HeadCase("a space in a name", get("X Y: z\r\n"), .malformedRequest),
        HeadCase("a slash in a name", get("X/Y: z\r\n"), .malformedRequest),
        HeadCase("bytes beyond ASCII in a name", get("é: z\r\n"), .malformedRequest),
        HeadCase("a folded value", get("X: a\r\n b\r\n"), .malformedRequest),
        HeadCase("a value folded with a tab", get("X: a\r\n\tb\r\n"), .malformedRequest),
        HeadCase("a first field that starts with a blank", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", .malformedRequest),
        HeadCase("NUL in a value", get("X: a\u{0}b\r\n"), .malformedRequest),
        HeadCase("NUL in a name", get("X\u{0}: b\r\n"), .malformedRequest),
        HeadCase("a control character in a value", get("X: a\u{1}b\r\n"), .malformedRequest),
        HeadCase(
            "a control character far into a value", get("X: aaaaaaaaaaaaaaaaaaaaaaa\u{8}b\r\n"), .malformedRequest),
        HeadCase("DEL in a value", get("X: aaaaaaaaaaaaaaaa\u{7F}b\r\n"), .malformedRequest),
        HeadCase("a vertical tab", get("X: a\u{B}b\r\n"), .malformedRequest),
    ]

    private static let identity: [HeadCase] = [
        HeadCase("no host", "GET / HTTP/1.1\r\n\r\n", .malformedRequest),
        HeadCase("an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", .malformedRequest),
        HeadCase("two hosts", get("Host: b\r\n"), .malformedRequest),
        HeadCase("the same host twice", get("Host: a\r\n"), .malformedRequest),
        HeadCase("two hosts with 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", .malformedRequest),
        HeadCase("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .malformedRequest),
        HeadCase("a host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", .malformedRequest),
        HeadCase("a host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .malformedRequest),
        HeadCase("a port that is none", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", .malformedRequest),
        HeadCase("a port in words", "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", .malformedRequest),
        HeadCase("two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", .malformedRequest),
        HeadCase("a port without a host", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", .malformedRequest),
        HeadCase("an address that is left open", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .malformedRequest),
        HeadCase("hosts that somebody joined", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", .malformedRequest),
        HeadCase(
            "two authorizations", get("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), .malformedRequest),
        HeadCase(
            "one authorization twice", get("Authorization: Bearer a\r\nauthorization: Bearer a\r\n"), .malformedRequest),
        HeadCase("two schemes", get("Authorization: Basic a\r\nAuthorization: Bearer a\r\n"), .malformedRequest),
        HeadCase("two session cookies", get("Cookie: __Host-curfew=a; __Host-curfew=b\r\n"), .malformedRequest),
        HeadCase(
            "two session cookies in two fields", get("Cookie: __Host-curfew=a\r\nCookie: __Host-curfew=b\r\n"),
            .malformedRequest),
        HeadCase(
            "two session cookies beside a bearer token",
            get("Authorization: Bearer x\r\nCookie: __Host-curfew=a; __Host-curfew=b\r\n"), .malformedRequest),
        HeadCase(
            "a fence twice", get("Curfew-At-Least: 1\r\nCurfew-At-Least: 1\r\n"), .malformedRequest),
        HeadCase(
            "a field of ours twice, far apart",
            get("Curfew-Consistency: strict\r\nX: y\r\ncurfew-consistency: strict\r\n"),
            .malformedRequest),
        HeadCase("a field that ours may become, twice", get("Curfew-New: 1\r\nCURFEW-NEW: 2\r\n"), .malformedRequest),
        HeadCase("the CSRF token twice", get("X-CSRF-Token: a\r\nx-csrf-token: a\r\n"), .malformedRequest),
    ]
}
