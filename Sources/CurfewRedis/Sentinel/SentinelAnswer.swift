// What sentinels say, read strictly: who the primary of a name is, which other sentinels watch it, after how long it is
// replaced, and that it was. All of it is hearsay until the server that is named confirms its role.

/// One sentinel's answer about a primary.
struct SentinelAnswer: Equatable {
    /// `nil`: it knows no primary of that name.
    var primary: RedisAddress.Endpoint?
    /// The other sentinels that it knows.
    var others: [RedisAddress.Endpoint]
    /// How long the primary may be silent before the sentinels think of another.
    var failoverDelay: Duration?

    /// Sent together; an answer is made of their replies.
    static func questions(about name: String) -> [RedisCommand] {
        ["GET-MASTER-ADDR-BY-NAME", "SENTINELS", "MASTER"].map { verb in
            RedisCommand("SENTINEL", [RedisArgument(verb), RedisArgument(name)])
        }
    }

    /// Only the first answer is needed; a sentinel that refuses the others (they need more rights) still serves.
    init(_ replies: [RedisValue]) throws(RedisError) {
        let operation = "SENTINEL GET-MASTER-ADDR-BY-NAME"
        guard replies.count == 3 else { throw .unexpectedReply(operation: operation, expected: "three replies") }
        if case .null = replies[0] {
            primary = nil
        } else {
            let parts = try replies[0].array(of: 2, for: operation)
            let (host, port) = (try parts[0].text(for: operation), try parts[1].text(for: operation))
            guard let endpoint = RedisAddress.Endpoint(host: host, port: port) else {
                throw .unexpectedReply(operation: operation, expected: "a host and a port")
            }
            primary = endpoint
        }
        others = ((try? replies[1].array(for: "SENTINEL SENTINELS")) ?? []).compactMap { sentinel in
            let fields = Self.fields(sentinel)
            guard let host = fields["ip"], let port = fields["port"] else { return nil }
            return RedisAddress.Endpoint(host: host, port: port)
        }
        failoverDelay = Self.fields(replies[2])["down-after-milliseconds"].flatMap { Int64($0) }
            .map { .milliseconds($0) }
    }

    /// Names and values in turn.
    private static func fields(_ value: RedisValue) -> [String: String] {
        guard case .array(let flat) = value else { return [:] }
        var fields: [String: String] = [:]
        for index in stride(from: 0, to: flat.count - 1, by: 2) {
            guard let name = try? flat[index].text(for: "SENTINEL") else { continue }
            fields[name] = try? flat[index + 1].text(for: "SENTINEL")
        }
        return fields
    }
}

/// A message of the channel `+switch-master`: a primary was replaced.
struct SentinelSwitch: Equatable {
    static let channel = "+switch-master"

    let name: String
    let to: RedisAddress.Endpoint

    /// `<name> <old host> <old port> <new host> <new port>`
    init?(_ message: String) {
        let words = message.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 5, let to = RedisAddress.Endpoint(host: String(words[3]), port: String(words[4])) else {
            return nil
        }
        name = String(words[0])
        self.to = to
    }
}

extension RedisAddress.Endpoint {
    /// As a sentinel writes it.
    init?(host: String, port: String) {
        guard !host.isEmpty, let number = Int(port), (1...65_535).contains(number) else { return nil }
        self = .tcp(host: host, port: number)
    }

    var hostAndPort: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}
