// The user that docker/redis/users.acl gives Curfew, on every server of a test: the nodes are let do what stands there, no more.

import Foundation

package enum RedisUser {
    package static let name = "curfew"
    package static let password = "nodes-pass"

    /// The file itself.
    package static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docker/redis/users.acl")

    /// The words of the user's line, without its name.
    package static let rules: [String] = {
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("user \(name) ") } ?? ""
        return line.split(separator: " ").dropFirst(2).map(String.init)
    }()

    /// For a server's configuration: with a password, and for the namespaces that the tests use. Before 7.0 there is no sharded pub/sub.
    static func line(knowsShards: Bool) -> String {
        (["user"] + words(knowsShards: knowsShards)).joined(separator: " ")
    }

    /// The same on a server's command line.
    static var arguments: [String] { ["--user"] + words(knowsShards: RedisServer.knowsShards) }

    private static func words(knowsShards: Bool) -> [String] {
        [name]
            + rules.flatMap { word -> [String] in
                switch word {
                case "~curfew:*": [word, "~test*:*"]
                case "&curfew:*": [word, "&test*:*"]
                case "+spublish", "+ssubscribe": knowsShards ? [word] : []
                case "resetpass": [word, ">\(password)"]
                default: [word]
                }
            }
    }
}
