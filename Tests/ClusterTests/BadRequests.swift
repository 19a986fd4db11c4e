// Malformed requests, as data: what is sent, and the status and code that the interface documents for it. Each is a good
// request spoilt in one place: the same bytes without the fault are answered 200 (`BadInputTests` checks that too).

import TestSupport

/// One malformed request.
struct BadRequest: Sendable, CustomStringConvertible {
    let name: String
    let listener: Listener
    let bytes: [UInt8]
    let status: Int
    /// More than one where the interface leaves it open.
    let codes: Set<String>

    var description: String { "\(name) (\(listener.rawValue))" }
}

/// A good request of either listener as its parts, and the faults that can be put into it.
struct GoodRequest {
    let listener: Listener
    var line: String
    var fields: [String]
    var body = ""

    /// `GET` of something that the credential is good for.
    init(_ listener: Listener, credential: String) {
        self.listener = listener
        line = "GET \(listener == .public ? "/v1/validate" : "/v1/cluster") HTTP/1.1"
        fields = ["Host: curfew", "Authorization: Bearer \(credential)"]
    }

    /// `POST` of JSON to the admin listener.
    init(_ path: String, key: String, body: String) {
        self.init(.admin, credential: key)
        line = "POST \(path) HTTP/1.1"
        fields += ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"]
        self.body = body
    }

    var bytes: [UInt8] { Array((([line] + fields).joined(separator: "\r\n") + "\r\n\r\n" + body).utf8) }

    func bad(_ name: String, _ status: Int, _ codes: String..., change: (inout GoodRequest) -> Void) -> BadRequest {
        var request = self
        change(&request)
        return BadRequest(
            name: name, listener: listener, bytes: request.bytes, status: status, codes: Set(codes))
    }
}

/// Faults below the API: framing, fields, request lines, sizes.
enum BadHTTP {
    static func all(_ listener: Listener, credential: String) -> [BadRequest] {
        let good = GoodRequest(listener, credential: credential)
        return framing(good) + fields(good, credential) + lines(good) + sizes(good) + routes(good)
    }

    /// Where a body ends must be said once and plainly.
    static func framing(_ good: GoodRequest) -> [BadRequest] {
        let lengths: [(String, [String])] = [
            ("Content-Length with Transfer-Encoding", ["Content-Length: 0", "Transfer-Encoding: chunked"]),
            ("two different Content-Length", ["Content-Length: 0", "Content-Length: 1"]),
            ("the same Content-Length twice", ["Content-Length: 0", "Content-Length: 0"]),
            ("a list as Content-Length", ["Content-Length: 0, 0"]),
            ("Content-Length with a plus", ["Content-Length: +0"]),
            ("a negative Content-Length", ["Content-Length: -1"]),
            ("a hexadecimal Content-Length", ["Content-Length: 0x0"]),
            ("an empty Content-Length", ["Content-Length:"]),
            ("a Content-Length in words", ["Content-Length: none"]),
            ("Transfer-Encoding identity", ["Transfer-Encoding: identity"]),
            ("Transfer-Encoding gzip, chunked", ["Transfer-Encoding: gzip, chunked"]),
            ("Transfer-Encoding chunked, chunked", ["Transfer-Encoding: chunked, chunked"]),
            ("Transfer-Encoding twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
            ("Transfer-Encoding xchunked", ["Transfer-Encoding: xchunked"]),
        ]
        let chunks: [(String, String)] = [
            ("a chunk size in no number", "zz\r\n"), ("an endless chunk size", "fffffffffffffffff\r\n"),
            ("a chunk that is longer than it says", "1\r\nabc\r\n0\r\n\r\n"),
        ]
        return lengths.map { name, added in
            good.bad(name, 400, "malformed_request") {
                $0.line = $0.line.replacing("GET", with: "POST")
                $0.fields += added
                $0.body = added.contains { $0.contains("chunked") } ? "0\r\n\r\n" : ""
            }
        }
            + chunks.map { name, body in
                good.bad(name, 400, "malformed_request") {
                    $0.line = $0.line.replacing("GET", with: "POST")
                    $0.fields += ["Transfer-Encoding: chunked", "Content-Type: application/json"]
                    $0.body = body
                }
            }
    }

    static func fields(_ good: GoodRequest, _ credential: String) -> [BadRequest] {
        let added: [(String, String)] = [
            ("NUL in a field", "X-A: a\u{0}b"), ("a control in a field", "X-A: a\u{1}b"),
            ("DEL in a field", "X-A: a\u{7f}b"),
            ("a bare CR in a field", "X-A: a\rb"), ("a bare LF between fields", "X-A: a\nX-B: b"),
            ("a space before the colon", "X-A : a"), ("a folded field", "X-A: a\r\n b"),
            ("a field folded by a tab", "X-A: a\r\n\tb"),
            ("a field without a colon", "nonsense"), ("a field without a name", ": a"),
            ("a space in a field's name", "X A: a"), ("a bracket in a field's name", "X(A: a"),
            ("a second Host", "Host: curfew"), ("another Host", "Host: elsewhere"),
            ("a second Authorization", "Authorization: Bearer \(credential)"),
            ("an Authorization of another scheme beside it", "authorization: Basic YTpi"),
        ]
        var bad = added.map { name, field in good.bad(name, 400, "malformed_request") { $0.fields.append(field) } }
        bad.append(good.bad("no Host", 400, "malformed_request") { $0.fields.removeFirst() })
        guard good.listener == .public else { return bad }
        let ours: [(String, [String])] = [
            ("Curfew-Consistency twice", ["Curfew-Consistency: strict", "Curfew-Consistency: strict"]),
            (
                "Curfew-At-Least twice",
                ["Curfew-At-Least: 0-1-0123456789abcdef", "Curfew-At-Least: 0-1-0123456789abcdef"]
            ),
            ("Curfew-At-Least in a word", ["Curfew-At-Least: now"]), ("an empty Curfew-At-Least", ["Curfew-At-Least:"]),
            ("a Curfew-At-Least without a tag", ["Curfew-At-Least: 0-1"]),
            ("a Curfew-At-Least with a short tag", ["Curfew-At-Least: 0-1-abc"]),
            ("a Curfew-At-Least of a partition there can't be", ["Curfew-At-Least: 4096-1-0123456789abcdef"]),
            ("a Curfew-At-Least with an empty element", ["Curfew-At-Least: 0-1-0123456789abcdef,"]),
            ("two session cookies that differ", ["Cookie: __Host-curfew=a.b.c; __Host-curfew=d.e.f"]),
        ]
        bad += ours.map { name, added in
            good.bad(name, 400, "malformed_request") { request in
                if name.contains("cookies") { request.fields.removeLast() }
                request.fields += added
            }
        }
        bad.append(
            good.bad("an unknown Curfew-Consistency", 400, "malformed_request", "value_out_of_range") {
                $0.fields.append("Curfew-Consistency: stirct")
            })
        return bad
    }

    /// Request lines, and what is no HTTP at all.
    static func lines(_ good: GoodRequest) -> [BadRequest] {
        let path = good.line.split(separator: " ")[1]
        let lines = [
            "HTTP/0.9": "GET \(path)", "HTTP/2.0 on a request": "GET \(path) HTTP/2.0",
            "HTTP/1.2": "GET \(path) HTTP/1.2",
            "http in small letters": "GET \(path) http/1.1", "a version with a tail": "GET \(path) HTTP/1.1x",
            "two spaces in the request line": "GET  \(path) HTTP/1.1",
            "a tab in the request line": "GET\t\(path) HTTP/1.1",
            "a space at the line's start": " GET \(path) HTTP/1.1", "a space in the target": "GET \(path) x HTTP/1.1",
            "no method": "\(path) HTTP/1.1", "a target without a slash": "GET v1/validate HTTP/1.1",
            "a control in the target": "GET \(path)\u{1} HTTP/1.1", "NUL in the target": "GET \(path)\u{0} HTTP/1.1",
            "a bracket in the method": "GE(T \(path) HTTP/1.1",
            "small letters without sense": "lorem ipsum dolor sit amet",
        ]
        var bad = lines.sorted { $0.key < $1.key }.map { name, line in
            good.bad(name, 400, "malformed_request") { $0.line = line }
        }
        func raw(_ name: String, _ bytes: [UInt8]) {
            bad.append(
                BadRequest(
                    name: name, listener: good.listener, bytes: bytes, status: 400, codes: ["malformed_request"]))
        }
        raw("the preface of HTTP/2", Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
        raw("a TLS hello", [0x16, 0x03, 0x01, 0x00, 0x04, 0x01, 0x00, 0x00, 0x00] + Array("\r\n\r\n".utf8))
        raw("lines that end in bare LF", good.bytes.filter { $0 != 13 })
        raw("random bytes", (0..<256).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) } + Array("\r\n\r\n".utf8))
        return bad
    }

    static func sizes(_ good: GoodRequest) -> [BadRequest] {
        let long = String(repeating: "a", count: 17 * 1024)
        let body = "{\"userId\":\"\(String(repeating: "a", count: 64 * 1024))\"}"
        var bad = [
            good.bad("a head of 17 KiB", 431, "head_too_large") { $0.fields.append("X-A: \(long)") },
            good.bad("a target of 17 KiB", 431, "head_too_large") {
                $0.line = $0.line.replacing(" HTTP", with: "?a=\(long) HTTP")
            },
            good.bad("101 fields", 431, "head_too_large") { request in
                request.fields += (0..<99).map { "X-\($0): a" }
            },
        ]
        guard good.listener == .admin else { return bad }
        func post(_ request: inout GoodRequest, _ path: String) {
            request.line = "POST \(path) HTTP/1.1"
            request.fields.append("Content-Type: application/json")
        }
        bad.append(
            good.bad("a body of more than 64 KiB", 413, "body_too_large") {
                post(&$0, "/v1/issue")
                $0.fields.append("Content-Length: \(body.utf8.count)")
                $0.body = body
            })
        bad.append(
            good.bad("more than 64 KiB in chunks", 413, "body_too_large") {
                post(&$0, "/v1/issue")
                $0.fields.append("Transfer-Encoding: chunked")
                $0.body = String(body.utf8.count, radix: 16) + "\r\n\(body)\r\n0\r\n\r\n"
            })
        bad.append(
            good.bad("a batch of more than 8 MiB announced", 413, "body_too_large") {
                post(&$0, "/v1/validate/batch")
                $0.fields.append("Content-Length: \(8 * 1024 * 1024 + 1)")
            })
        return bad
    }

    /// Paths, methods and parameters that are not there.
    static func routes(_ good: GoodRequest) -> [BadRequest] {
        let path = good.line.split(separator: " ")[1]
        var bad = [
            good.bad("an unknown path", 404, "not_found") { $0.line = "GET /v1/nothing HTTP/1.1" },
            good.bad("the root", 404, "not_found") { $0.line = "GET / HTTP/1.1" },
            good.bad("a path with two dots", 404, "not_found") { $0.line = "GET /v1/../v1/validate HTTP/1.1" },
            good.bad("a path in capitals", 404, "not_found") { $0.line = "GET \(path.uppercased()) HTTP/1.1" },
            good.bad("a wrong method", 405, "method_not_allowed") { $0.line = "DELETE \(path) HTTP/1.1" },
            good.bad("a method of nobody's", 405, "method_not_allowed") { $0.line = "BREW \(path) HTTP/1.1" },
            good.bad("a method in small letters", 405, "method_not_allowed") { $0.line = "get \(path) HTTP/1.1" },
            good.bad("TRACE", 405, "method_not_allowed") { $0.line = "TRACE \(path) HTTP/1.1" },
            good.bad("an unknown parameter", 400, "unknown_field") { $0.line = "GET \(path)?colour=red HTTP/1.1" },
        ]
        guard good.listener == .admin else { return bad }
        let inventory = "/v1/users/u_1/sessions"
        bad += [
            good.bad("a parameter twice", 400, "unknown_field") {
                $0.line = "GET \(inventory)?limit=1&limit=1 HTTP/1.1"
            },
            good.bad("a limit of zero", 400, "value_out_of_range") { $0.line = "GET \(inventory)?limit=0 HTTP/1.1" },
            good.bad("a limit in words", 400, "malformed_request", "value_out_of_range") {
                $0.line = "GET \(inventory)?limit=few HTTP/1.1"
            },
            good.bad("a cursor of nobody's", 400, "malformed_request", "value_out_of_range") {
                $0.line = "GET \(inventory)?cursor=%2B%2B HTTP/1.1"
            },
            good.bad("a user with a control", 400, "value_out_of_range", "malformed_request") {
                $0.line = "GET /v1/users/a%01b/sessions HTTP/1.1"
            },
            good.bad("a user that is no UTF-8", 400, "value_out_of_range", "malformed_request") {
                $0.line = "GET /v1/users/%ff/sessions HTTP/1.1"
            },
            good.bad("a user of 129 bytes", 400, "value_out_of_range") {
                $0.line = "GET /v1/users/\(String(repeating: "a", count: 129))/sessions HTTP/1.1"
            },
            good.bad("a session that nobody has", 404, "not_found") {
                $0.line = "GET /v1/sessions/ses_\(String(repeating: "0", count: 24)) HTTP/1.1"
            },
            good.bad("no API key", 401, "api_key_invalid") { $0.fields.removeLast() },
            good.bad("an empty API key", 401, "api_key_invalid") { $0.fields[1] = "Authorization: Bearer " },
            good.bad("an API key with one letter more", 401, "api_key_invalid") { $0.fields[1] += "a" },
            good.bad("an API key as Basic", 401, "api_key_invalid") { $0.fields[1] = "Authorization: Basic a2V5" },
        ]
        return bad
    }
}
