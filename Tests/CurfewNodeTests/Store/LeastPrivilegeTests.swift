// docker/redis/users.acl against the sources: every command that stands in scripts or is sent is allowed, and nothing else is. (The
// cluster's tests run as that user.)

import Foundation
import TestSupport
import Testing

@Suite struct LeastPrivilegeTests {
    private static let root = RedisUser.file.deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func files(_ folder: String, _ suffix: String) throws -> [String] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
        return try names.filter { $0.hasSuffix(suffix) }
            .map { try String(contentsOf: root.appending(path: folder).appending(path: $0), encoding: .utf8) }
    }

    @Test("Curfew's user in Redis may do what the scripts and the nodes do, and nothing else")
    func commands() throws {
        let scripts = try Self.files("Sources/CurfewNode/Store/Lua", ".lua").joined()
        let called = Set(scripts.matches(of: /redis\.p?call\('([A-Za-z]+)'/).map { $0.output.1.lowercased() })
        let sources = try (Self.files("Sources/CurfewNode", ".swift") + Self.files("Sources/CurfewRedis", ".swift"))
            .joined()
        let sent = Set(sources.matches(of: /"([A-Z]{3,})"/).map { $0.output.1.lowercased() })
        try #require(called.count > 15 && sent.contains("evalsha"))

        let allowed = Set(RedisUser.rules.filter { $0.hasPrefix("+") }.map { String($0.dropFirst()) })
        let plain = allowed.filter { !$0.contains("|") }
        #expect(called.subtracting(plain) == [], "called by scripts")
        // Of the words in capitals only those that a RedisCommand is made of.
        let commands = sources.matches(of: /RedisCommand\(\s*"([A-Z]+)"/).map { $0.output.1.lowercased() }
        let whole = Set(allowed.map { String($0.prefix { $0 != "|" }) })
        // SENTINEL is asked of sentinels, as another user.
        #expect(Set(commands).subtracting(whole) == ["sentinel"], "sent by nodes")
        #expect(plain.subtracting(called).subtracting(sent) == [], "allowed, and nowhere used")
        #expect(allowed.subtracting(plain) == ["cluster|info", "cluster|slots", "config|get"])
    }

    @Test("it has no keys and channels but those of its namespace, begins with nothing, and has no password")
    func bounds() {
        let others = RedisUser.rules.filter { !$0.hasPrefix("+") }
        #expect(others == ["on", "resetpass", "resetkeys", "~curfew:*", "resetchannels", "&curfew:*", "-@all"])
    }

    @Test("Redis takes the file, and its user does nothing that does not stand there")
    func loaded() async throws {
        let server = try await RedisServer.start()
        defer { server.stop() }
        func asNode(_ words: [String]) throws -> String {
            try server.call(words, as: (RedisUser.name, RedisUser.password))
        }
        #expect(try asNode(["SET", "curfew:x", "1"]) == "OK")
        for words in [
            ["SET", "other", "1"], ["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "SET", "save", ""], ["SCRIPT", "FLUSH"],
            ["ACL", "LIST"], ["SUBSCRIBE", "other"],
            ["EVAL", "return redis.call('GET', 'other')", "0"],
        ] {
            let error = #expect(throws: RedisCallError.self, "\(words)") { try asNode(words) }
            let text = error?.description ?? ""
            #expect(
                text.contains("NOPERM") || text.contains("can't access at least one of the keys"), "\(words): \(text)")
        }
    }
}
