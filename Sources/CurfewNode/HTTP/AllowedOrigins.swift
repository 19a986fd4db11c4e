// Pages of other origins (RFC 6454) that may call the public listener as the browser's user: none, unless they are named.

/// Origins as browsers write them in `Origin` (RFC 6454 section 6.1).
package struct AllowedOrigins: Sendable, Equatable {
    private var origins: Set<String> = []

    static let maximumOrigins = 100
    package static let expected =
        "origins as browsers write them, such as https://app.example.org, separated by commas, at most \(maximumOrigins); http only of "
        + "localhost and loopback addresses; or none"

    package static let none = AllowedOrigins()

    package init() {}

    /// `none` allows nobody. `nil` where a part is no origin, in whatever would never equal what a browser sends: capital
    /// letters, a path, the scheme's own port.
    package init?(_ text: String) {
        if text == "none" { return }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let origin = String(part.trimmingBlanks)
            guard origins.count < Self.maximumOrigins, Self.isOrigin(origin) else { return nil }
            origins.insert(origin)
        }
    }

    var isEmpty: Bool { origins.isEmpty }

    func contains(_ origin: String) -> Bool { origins.contains(origin) }

    /// The host and port of an origin; `nil` for `null` and whatever else is none.
    static func authority(of origin: String) -> Substring? {
        for scheme in ["https://", "http://"] where origin.hasPrefix(scheme) { return origin.dropFirst(scheme.count) }
        return nil
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard let authority = authority(of: text), authority == authority.lowercased() else { return false }
        let isSecure = text.hasPrefix("https:")
        var host = authority
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            let digits = authority[authority.index(after: colon)...]
            guard let port = UInt16(digits), String(port) == digits, port != (isSecure ? 443 : 80) else { return false }
            host = authority[..<colon]
        }
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.dropFirst().dropLast().allSatisfy({ $0 == ":" || $0.isHexDigit }) else {
                return false
            }
        } else {
            guard !host.isEmpty, host.utf8.allSatisfy({ $0.isLetter || $0.isDigit || "-._".utf8.contains($0) }) else {
                return false
            }
        }
        return isSecure || host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]"
            || (host.hasPrefix("127.") && host.utf8.allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") })
    }
}
