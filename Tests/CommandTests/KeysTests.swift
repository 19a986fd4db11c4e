// `curfew keys api`: the key is printed once, the file has its hash and nobody else may read it.

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
