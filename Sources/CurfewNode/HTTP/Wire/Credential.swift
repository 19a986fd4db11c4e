// Where the session's token stands in a request. The scanner uses this on raw heads and the slow path on decoded fields,
// so that both find the same token: a bearer token wins over the cookie, another scheme leaves the cookie to count.

import Foundation

enum Credential {
    /// The token in an `Authorization` value, `nil` for another scheme. `Bearer` alone is an empty token.
    static func bearer(in value: UnsafeRawBufferPointer) -> Range<Int>? {
        guard value.hasPrefixIgnoringCase("bearer") else { return nil }
        var start = 6
        guard value.count > start else { return start..<start }
        guard value[start] == .space else { return nil }
        while start < value.count, value[start] == .space { start += 1 }
        return start..<value.count
    }

    /// Calls `body` with the value of each session cookie in a `Cookie` value that isn't empty, until it says no; without the quotes that
    /// it may stand in (RFC 6265 section 4.1.1). Returns whether it never did.
    static func sessionCookies(
        in value: UnsafeRawBufferPointer, acceptsInsecureName: Bool, _ body: (Range<Int>) -> Bool
    ) -> Bool {
        var start = 0
        while start < value.count {
            let end = value[start...].firstIndex(of: UInt8(ascii: ";")) ?? value.count
            let pair = value.slice(start..<end)
            let trimmed = pair.trimmedBlanks
            let content = pair.slice(trimmed)
            if let equals = content.firstIndex(of: UInt8(ascii: "=")) {
                let name = content.slice(0..<equals)
                if name.equals("__Host-curfew") || (acceptsInsecureName && name.equals("curfew")),
                    equals + 1 < content.count
                {
                    var range = (start + trimmed.lowerBound + equals + 1)..<(start + trimmed.upperBound)
                    let quote = UInt8(ascii: "\"")
                    if range.count >= 2, value[range.lowerBound] == quote, value[range.upperBound - 1] == quote {
                        range = (range.lowerBound + 1)..<(range.upperBound - 1)
                    }
                    guard range.isEmpty || body(range) else { return false }
                }
            }
            start = end + 1
        }
        return true
    }

    /// A token, and where it stood.
    struct Found: Sendable {
        let token: [UInt8]
        let isCookie: Bool
    }

    /// The token that counts, of the fields' values as the slow path has them; `nil` where there is none.
    static func find(authorization: String?, cookies: [String], acceptsInsecureName: Bool) -> Found? {
        if let authorization {
            let value = Array(authorization.utf8)
            if let token = value.withUnsafeBytes({ bytes in bearer(in: bytes).map { Array(bytes[$0]) } }) {
                return Found(token: token, isCookie: false)
            }
        }
        for cookie in cookies {
            let value = Array(cookie.utf8)
            var found: [UInt8]?
            _ = value.withUnsafeBytes { bytes in
                sessionCookies(in: bytes, acceptsInsecureName: acceptsInsecureName) { range in
                    found = Array(bytes[range])
                    return false
                }
            }
            if let found { return Found(token: found, isCookie: true) }
        }
        return nil
    }

    /// The same, wherever it stood.
    static func token(authorization: String?, cookies: [String], acceptsInsecureName: Bool) -> [UInt8]? {
        find(authorization: authorization, cookies: cookies, acceptsInsecureName: acceptsInsecureName)?.token
    }

    /// The password of HTTP Basic (RFC 7617), as it is and as a client of OAuth should have escaped it (RFC 6749 section 2.3.1), which many
    /// don't; none for another scheme and for what is not well-formed.
    static func passwords(authorization: String) -> [[UInt8]] {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic",
            let pair = Data(base64Encoded: String(parts[1].trimmingBlanks)), let colon = pair.firstIndex(of: .colon)
        else { return [] }
        let password = pair[(colon + 1)...]
        let unescaped = PercentCoding.decode(password, plusIsSpace: true).map { Array($0.utf8) }
        return [Array(password)] + (unescaped.map { [$0] } ?? [])
    }
}
