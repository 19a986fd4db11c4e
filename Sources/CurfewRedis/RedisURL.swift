// The parts of a Redis URL. Strict: what is not understood is refused, and no refusal quotes any of the text,
// since a password with an unescaped `/` or `@` may end up in any part.

/// A Redis URL taken apart.
struct RedisURL: Equatable {
    static let defaultPort = 6379
    static let defaultSentinelPort = 26_379
    static let maximumDatabase = 65_535

    /// What stands behind the hosts.
    enum Kind: Equatable {
        case single
        /// The hosts are sentinels; this is the name of what they watch.
        case sentinel(name: String)
        /// The hosts are members of a Redis Cluster.
        case cluster
    }

    static let maximumHosts = 32

    var kind = Kind.single
    /// One for a single Redis; else at least one.
    var endpoints: [RedisAddress.Endpoint]
    var isEncrypted: Bool
    var user: String?
    var password: String?
    var database: Int

    init(_ url: String) throws(RedisAddressError) {
        guard let separator = url.firstRange(of: "://") else { throw RedisAddressError(problem: "no scheme") }
        let rest = url[separator.upperBound...]
        if rest.contains("#") || !rest.allSatisfy({ $0.isASCII && $0 > " " && $0 != "\u{7F}" }) {
            throw RedisAddressError(problem: "a character that must be percent-encoded")
        }
        let scheme = url[..<separator.lowerBound].lowercased()
        isEncrypted = scheme.hasPrefix("rediss")
        switch scheme {
        case "redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster": break
        case "redis+unix":
            let endpoint: RedisAddress.Endpoint
            (endpoint, user, password, database) = try Self.unix(rest)
            endpoints = [endpoint]
            return
        default: throw RedisAddressError(problem: "another scheme")
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let hosts: Substring
        (user, password, hosts) = try Self.credentials(rest[..<slash])
        endpoints = try Self.hostList(
            hosts, defaultPort: scheme.hasSuffix("+sentinel") ? Self.defaultSentinelPort : Self.defaultPort)
        database = 0
        var path = rest[slash...].dropFirst().split(separator: "/", omittingEmptySubsequences: false)[...]
        if path == [""] { path = [] }
        if scheme.hasSuffix("+sentinel") {
            guard let name = path.popFirst().flatMap(Self.decoded), !name.isEmpty else {
                throw RedisAddressError(problem: "no name of a primary after the sentinels")
            }
            kind = .sentinel(name: name)
        } else if scheme.hasSuffix("+cluster") {
            kind = .cluster
        } else if endpoints.count > 1 {
            throw RedisAddressError(problem: "several hosts")
        }
        if let number = path.popFirst() {
            database = try Self.number(number, 0...Self.maximumDatabase, "the database is not a number")
        }
        guard path.isEmpty else { throw RedisAddressError(problem: "a longer path than expected") }
        guard kind != .cluster || database == 0 else {
            throw RedisAddressError(problem: "a database other than 0, which a cluster does not have")
        }
    }

    private typealias Parts = (RedisAddress.Endpoint, String?, String?, Int)

    private static func hostList(
        _ text: Substring, defaultPort: Int
    ) throws(RedisAddressError) -> [RedisAddress.Endpoint] {
        var endpoints: [RedisAddress.Endpoint] = []
        for host in text.split(separator: ",", omittingEmptySubsequences: false) {
            endpoints.append(try hostAndPort(host, defaultPort: defaultPort))
        }
        guard endpoints.count <= maximumHosts else {
            throw RedisAddressError(problem: "more than \(maximumHosts) hosts")
        }
        return endpoints
    }

    private static func unix(_ rest: Substring) throws(RedisAddressError) -> Parts {
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let (user, password, host) = try credentials(rest[..<slash])
        guard host.isEmpty else { throw RedisAddressError(problem: "a host where only a path can stand") }
        let halves = rest[slash...].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = halves.first, let path = decoded(first), path.count > 1 else {
            throw RedisAddressError(problem: "no path of a unix socket")
        }
        var database = 0
        if halves.count == 2 {
            guard halves[1].hasPrefix("db=") else { throw RedisAddressError(problem: "another query than db") }
            database = try number(halves[1].dropFirst(3), 0...maximumDatabase, "the database is not a number")
        }
        return (.unix(path: path), user, password, database)
    }

    private static func credentials(
        _ authority: Substring
    ) throws(RedisAddressError) -> (user: String?, password: String?, host: Substring) {
        // By scalars: a mark that follows joins the sign to another character, and the password would be the host's.
        let scalars = authority.unicodeScalars
        guard let at = scalars.lastIndex(of: "@") else { return (nil, nil, authority) }
        let host = authority[scalars.index(after: at)...]
        guard let colon = scalars[..<at].firstIndex(of: ":") else {
            throw RedisAddressError(problem: "a user without a password")
        }
        guard let user = decoded(authority[..<colon]),
            let password = decoded(authority[scalars.index(after: colon)..<at])
        else { throw RedisAddressError(problem: "a user or password that is not percent-encoded UTF-8") }
        if user.isEmpty && password.isEmpty { throw RedisAddressError(problem: "an empty user and password") }
        return (user.isEmpty ? nil : user, password, host)
    }

    private static func hostAndPort(
        _ text: Substring, defaultPort: Int
    ) throws(RedisAddressError) -> RedisAddress.Endpoint {
        var host = text
        var port = Substring()
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw RedisAddressError(problem: "no ] after [") }
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(after: end)...]
            guard host.contains(":") else { throw RedisAddressError(problem: "no IPv6 address between [ and ]") }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[colon...]
        }
        let isPlain = host.allSatisfy { $0.isLetter || $0.isNumber || "-._:%".contains($0) }
        guard !host.isEmpty, isPlain else { throw RedisAddressError(problem: "no host") }
        if port.isEmpty { return .tcp(host: String(host), port: defaultPort) }
        guard port.first == ":" else { throw RedisAddressError(problem: "no port after ]") }
        return .tcp(host: String(host), port: try number(port.dropFirst(), 1...65_535, "the port is not a number"))
    }

    private static func number(
        _ text: Substring, _ range: ClosedRange<Int>, _ problem: String
    ) throws(RedisAddressError) -> Int {
        guard text.allSatisfy({ ("0"..."9").contains($0) }), let value = Int(text), range.contains(value) else {
            throw RedisAddressError(problem: problem)
        }
        return value
    }

    /// Percent-decoded; `nil` where an escape is broken, the result is not UTF-8 or holds a NUL.
    static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            if byte != UInt8(ascii: "%") {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(hexDigit), let low = rest.next().flatMap(hexDigit) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
