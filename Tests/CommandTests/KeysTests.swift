// `curfew keys`: no secret is printed but an API key, once, whose file has only its hash; and nobody else may read any of the files.

import Foundation
import TestSupport
import Testing

@Suite("Keys for the admin listener")
struct KeysTests {
    private static let arguments = ["keys", "api", "--name", "backend", "--roles", "read,issue", "--file", "keys.json"]

    @Test("the key is printed, the file has its hash, mode 0600")
    func aNewKey() async throws {
        let run = try CommandRun()
        let result = try await run.run(Self.arguments)
        #expect(result.exit == .code(0))
        let key = try #require(result.lines.first)
        #expect(result.lines.count == 1 && key.utf8.count >= 43)
        let file = try run.read("keys.json")
        #expect(!file.contains(key))
        #expect(file.contains("\"name\":\"backend\"") && file.contains("\"hash\":\"sha256:"))
        #expect(file.contains("\"roles\":[\"read\",\"issue\"]"))
        #expect(try run.mode(of: "keys.json") == 0o600)
    }

    @Test("of many commands at once none loses the key of another")
    func atOnce() async throws {
        let run = try CommandRun()
        _ = try await run.run(["keys", "generate", "--file", "signing.json"])
        var printed: Set<String> = []
        try await withThrowingTaskGroup(of: CommandRun.Result.self) { group in
            for number in 1...6 {
                group.addTask {
                    try await run.run(["keys", "rotate", "--file", "signing.json", "--after", "\(number)h"])
                }
                group.addTask {
                    try await run.run(["keys", "api", "--name", "n\(number)", "--roles", "read", "--file", "keys.json"])
                }
            }
            for try await result in group {
                #expect(result.exit == .code(0))
                printed.formUnion(result.lines)
            }
        }
        let signing = try run.read("signing.json")
        #expect(signing.split(separator: "\"kid\"").count == 8)
        #expect(printed.count { signing.contains($0) } == 6)
        for number in 1...6 { #expect(try run.read("keys.json").contains("\"n\(number)\"")) }
    }

    @Test("a name is not overwritten, unless it is meant")
    func aNameTwice() async throws {
        let run = try CommandRun()
        _ = try await run.run(Self.arguments)
        let before = try run.read("keys.json")
        #expect(try await run.run(Self.arguments).exit == .code(64))
        #expect(try run.read("keys.json") == before)
        #expect(try await run.run(Self.arguments + ["--replace"]).exit == .code(0))
        #expect(try run.read("keys.json") != before)
    }

    @Test("a file that is something else stays as it is")
    func anotherFile() async throws {
        let run = try CommandRun()
        try run.write("{\"keys\":[17]}", to: "keys.json")
        let result = try await run.run(Self.arguments)
        #expect(result.exit == .code(64))
        #expect(result.output.contains("entry 1"))
        #expect(try run.read("keys.json") == "{\"keys\":[17]}")
    }
}

@Suite("Signing keys")
struct SigningKeysTests {
    private struct Listed: Decodable {
        struct Key: Decodable, Equatable { let kid, alg, activeFrom, state: String }
        let keys: [Key]
    }

    private func list(_ run: CommandRun) async throws -> [Listed.Key] {
        let result = try await run.run(["keys", "list", "--file", "k.json", "--json"])
        #expect(result.exit == .code(0))
        return try JSONDecoder().decode(Listed.self, from: Data(result.output.utf8)).keys
    }

    @Test("generate makes a file of mode 0600 and prints the id only", arguments: ["HS256", "EdDSA", "ES256"])
    func generate(algorithm: String) async throws {
        let run = try CommandRun()
        let result = try await run.run(["keys", "generate", "--file", "k.json", "--algorithm", algorithm])
        #expect(result.exit == .code(0) && result.lines.count == 1)
        let keys = try await list(run)
        #expect(keys.map(\.kid) == result.lines && keys.map(\.alg) == [algorithm] && keys.map(\.state) == ["signing"])
        #expect(try run.mode(of: "k.json") == 0o600)
        let before = try run.read("k.json")
        let again = try await run.run(["keys", "generate", "--file", "k.json"])
        #expect(again.exit == .code(64) && again.output.contains("rotate"))
        #expect(try run.read("k.json") == before)
    }

    @Test("rotate adds a key that counts later, of the same algorithm unless it is told; list tells no secret")
    func rotate() async throws {
        let run = try CommandRun()
        let first = try await run.run(["keys", "generate", "--file", "k.json", "--algorithm", "eddsa"]).lines
        let second = try await run.run(["keys", "rotate", "--file", "k.json"]).lines
        let third = try await run.run(
            ["keys", "rotate", "--file", "k.json", "--algorithm", "HS256", "--after", "2h"]
        ).lines
        let keys = try await list(run)
        #expect(keys.map(\.kid) == third + second + first)
        #expect(keys.map(\.alg) == ["HS256", "EdDSA", "EdDSA"])
        #expect(keys.map(\.state) == ["waiting", "waiting", "signing"])
        let times = try keys.map {
            try #require(ISO8601DateFormatter().date(from: $0.activeFrom)).timeIntervalSince1970
        }
        #expect(abs(times[1] - times[2] - 3600) < 60 && abs(times[0] - times[2] - 7200) < 60)
        #expect(try run.mode(of: "k.json") == 0o600)
        let shown = try await run.run(["keys", "list", "--file", "k.json"]).output
        for line in try run.read("k.json").split(separator: "\n") {
            guard let secret = line.split(separator: "\"").max(by: { $0.count < $1.count }) else { continue }
            #expect(!shown.contains(secret.prefix(40)) || secret.count < 40)
        }
        let now = try await run.run(["keys", "rotate", "--file", "k.json", "--after", "0s"])
        #expect(now.exit == .code(0) && now.output.contains("signs at once"))
        #expect(try await list(run).filter { $0.state == "signing" }.map(\.kid) == [try #require(now.lines.last)])
    }

    @Test("rotate takes out what nothing living can be signed with, and has no room for more keys than a node takes")
    func prune() async throws {
        let run = try CommandRun()
        let secret = String(repeating: "s", count: 32)
        func write(_ starts: [String]) throws {
            let keys = starts.enumerated().map {
                "{\"kid\":\"k\($0.offset)\",\"alg\":\"HS256\",\"activeFrom\":\"\($0.element)\",\"secret\":\"\(secret)\"}"
            }
            try run.write("{\"keys\":[\(keys.joined(separator: ","))]}", to: "k.json")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: run.folder + "/k.json")
        }
        try write(["2001-01-01T00:00:00Z", "2002-01-01T00:00:00Z", "2003-01-01T00:00:00Z"])
        let result = try await run.run(["keys", "rotate", "--file", "k.json"])
        #expect(result.output.contains("k0 is taken out") && result.output.contains("k1 is taken out"))
        #expect(try await list(run).map(\.kid) == [try #require(result.lines.last), "k2"])
        try write((0..<32).map { _ in "2001-01-01T00:00:00Z" })
        let full = try await run.run(["keys", "rotate", "--file", "k.json"])
        #expect(full.exit == .code(64) && full.output.contains("no room for one more"))
    }

    @Test("what can't be is one line and exit code 64, and the file stays as it is")
    func wrong() async throws {
        let run = try CommandRun()
        _ = try await run.run(["keys", "generate", "--file", "k.json"])
        try run.write("too short\n", to: "s.txt")
        let before = try run.read("k.json")
        let calls: [([String], String)] = [
            (["rotate", "--file", "k.json", "--after", "soon"], "--after"),
            (["rotate", "--file", "k.json", "--longest-session", "1y"], "--longest-session"),
            (["rotate", "--file", "k.json", "--algorithm", "RS256"], "RS256"),
            (["rotate", "--file", "none.json"], "a file that can be read"), (["list", "--file", "s.txt"], "0600"),
            (["generate", "--file", "n.json", "--from-secret-file", "s.txt", "--algorithm", "ES256"], "HS256"),
            (["generate", "--file", "/nowhere/n.json"], "can't be written"), (["generate"], "--file"),
        ]
        for (arguments, text) in calls {
            let result = try await run.run(["keys"] + arguments)
            #expect(result.exit == .code(64), "\(arguments)")
            #expect(result.output.contains(text) || text == "0600", "\(arguments): \(result.output)")
        }
        #expect(try run.read("k.json") == before)
    }
}
