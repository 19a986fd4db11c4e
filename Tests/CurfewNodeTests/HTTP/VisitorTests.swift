// Whose address the audit log tells: the other end's, or what trusted proxies say of it.

import HTTPTypes
import NIOCore
import Testing

@testable import CurfewNode

@Suite struct VisitorTests {
    private static func visitor(_ peer: String?, _ fields: [(String, String)], trusted: String) throws -> Visitor {
        var headers = HTTPFields()
        for (name, value) in fields { headers.append(HTTPField(name: try #require(.init(name)), value: value)) }
        return Visitor(
            peer: try peer.map { try SocketAddress(ipAddress: $0, port: 4711) }, fields: headers,
            trustedProxies: try #require(TrustedProxies(trusted)))
    }

    @Test(
        "the first from the end of X-Forwarded-For that no trusted proxy is; what strangers write there is passed over",
        arguments: [
            // Nobody's word is taken but the connection's.
            ("192.0.2.7", "none", ["203.0.113.66"], "192.0.2.7"),
            ("2001:db8::7", "10.0.0.0/8", [], "2001:db8::7"),
            // One proxy, and what the visitor had written before it.
            ("10.0.0.1", "10.0.0.0/8", ["203.0.113.66"], "203.0.113.66"),
            ("10.0.0.1", "10.0.0.0/8", ["127.0.0.1, 198.51.100.1 ,203.0.113.66"], "203.0.113.66"),
            ("10.0.0.1", "10.0.0.0/8", ["198.51.100.1", "2001:db8::1"], "2001:db8::1"),
            // Two of them.
            ("10.0.0.1", "10.0.0.0/8", ["198.51.100.1, 203.0.113.66, 10.2.3.4"], "203.0.113.66"),
            ("::ffff:10.0.0.1", "10.0.0.0/8", ["203.0.113.66,::ffff:10.2.3.4"], "203.0.113.66"),
            ("10.0.0.1", "10.0.0.0/8", ["203.0.113.66:4711, 10.2.3.4:80"], "203.0.113.66"),
            ("10.0.0.1", "10.0.0.0/8", ["[2001:db8::1]:4711"], "2001:db8::1"),
            // A proxy that says nothing, or no address.
            ("10.0.0.1", "10.0.0.0/8", [], nil), ("10.0.0.1", "10.0.0.0/8", ["10.2.3.4"], nil),
            ("10.0.0.1", "10.0.0.0/8", ["203.0.113.66, unknown"], nil), ("10.0.0.1", "10.0.0.0/8", [""], nil),
            (nil, "10.0.0.0/8", ["203.0.113.66"], nil),
        ] as [(peer: String?, trusted: String, forwarded: [String], expected: String?)])
    func address(_ one: (peer: String?, trusted: String, forwarded: [String], expected: String?)) throws {
        let visitor = try Self.visitor(one.peer, one.forwarded.map { ("X-Forwarded-For", $0) }, trusted: one.trusted)
        #expect(visitor.ipAddress == one.expected)
    }

    @Test("a backend is no visitor, and tells of one only through a trusted proxy")
    func backend() throws {
        func told(_ peer: String, _ forwarded: [String]) throws -> Visitor {
            var visitor = try Self.visitor(
                peer, forwarded.map { ("X-Forwarded-For", $0) } + [("User-Agent", "backend/1")], trusted: "10.0.0.0/8")
            visitor.isByBackend = true
            return visitor
        }
        #expect(try told("192.0.2.7", []).ipAddress == nil && told("192.0.2.7", ["203.0.113.66"]).ipAddress == nil)
        #expect(try told("10.0.0.1", ["203.0.113.66"]).ipAddress == "203.0.113.66")
        #expect(try told("10.0.0.1", ["203.0.113.66"]).userAgent == nil)
    }

    @Test("one user agent, of a length that issue takes, too")
    func userAgent() throws {
        func told(_ values: [String]) throws -> String? {
            try Self.visitor("192.0.2.7", values.map { ("User-Agent", $0) }, trusted: "none").userAgent
        }
        #expect(try told(["curl/8"]) == "curl/8")
        #expect(try told([String(repeating: "x", count: 512)])?.utf8.count == 512)
        for other in [[], [""], ["curl/8", "curl/9"], [String(repeating: "x", count: 513)]] {
            #expect(try told(other) == nil)
        }
    }
}
