// What a server says of itself, and what has no key: PING, TIME, PUBLISH, INFO, ROLE, CONFIG GET, WAIT.

import CurfewRedis

extension CommandTable {
    static let server: Group = [
        (
            "ping",
            entry(-1) { (_, words) throws(CommandFault) in
                if words.count > 2 { throw .arity(words[0]) }
                return words.count == 2 ? .bytes(words[1]) : .status("PONG")
            }
        ),
        (
            "time",
            entry(1, .worksWhileLoading) { (server, _) throws(CommandFault) in
                let (seconds, rest) = server.call.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
                return .array([.text(String(seconds)), .text(String(rest))])
            }
        ),
        (
            "publish",
            entry(3, .worksWhileLoading) { (server, words) throws(CommandFault) in
                server.call.published.append((channel: words[1].text, message: words[2].array))
                return .integer(0)
            }
        ),
        (
            "info",
            entry(-1, .worksWhileLoading) { (server, words) throws(CommandFault) in
                .text(server.info(sections: words[1...].map(\.lowercased.text)))
            }
        ),
        (
            "role",
            entry(1, [.worksWhileLoading, .refusedInScripts]) { (server, _) throws(CommandFault) in
                switch server.role {
                case .primary: .array([.text("master"), .integer(server.replicationOffset), .array([])])
                case .replica(let isLinked):
                    .array([
                        .text("slave"), .text("primary"), .integer(6379), .text(isLinked ? "connected" : "connect"),
                        .integer(isLinked ? server.replicationOffset : -1),
                    ])
                }
            }
        ),
        (
            "config",
            entry(-2, [.worksWhileLoading, .refusedInScripts]) { (server, words) throws(CommandFault) in
                guard words[1].isOption("get"), words.count > 2 else { throw .notSimulated("CONFIG but GET") }
                let patterns = words[2...].map(\.lowercased.text)
                let settings = server.settings.filter { setting in
                    patterns.contains {
                        $0.hasSuffix("*") ? setting.name.hasPrefix($0.dropLast()) : setting.name == $0
                    }
                }
                return .array(settings.flatMap { [.text($0.name), .text($0.value)] })
            }
        ),
        (
            "wait",
            entry(3, .refusedInScripts) { (server, words) throws(CommandFault) in
                guard case .primary = server.role else {
                    throw CommandFault(
                        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a "
                            + "replica is configured to be writable (which is not the default) writes to replicas are "
                            + "just local and are not propagated.")
                }
                _ = try words[1].integer()
                guard let timeout = RedisNumber.integer(words[2]) else {
                    throw CommandFault("ERR timeout is not an integer or out of range")
                }
                if timeout < 0 { throw CommandFault("ERR timeout is negative") }
                return .count(server.caughtUpReplicas)
            }
        ),
    ]
}
