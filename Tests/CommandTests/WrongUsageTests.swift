// A wrong start is one line on standard error and exit code 64, whichever way the setting came.

import Testing
import TestSupport

@Suite("A wrong start is one clear line")
struct WrongUsageTests {
    private static let secret = "CURFEW_SIGNING_SECRET"
    private static let usable = [secret: "0123456789abcdef0123456789abcdef"]

    @Test(
        "serve names the setting, the value and what was expected",
        arguments: [
            (["--listen", "8080"], "listen: \"8080\", expected host:port"),
            (["--listen", "0.0.0.0:8080"], "off loopback tls-cert and tls-key, or allow-plaintext"),
            (["--partitions", "0"], "partitions: \"0\", expected a whole number from 1 to 1024"),
            (["--staleness-bound", "500ms"], "staleness-bound: \"500ms\", expected at least three poll intervals"),
            (["--web-token-lifetime", "48h"], "web-token-lifetime: \"48h\", expected at most the session's lifetime"),
            (["--admin-listen", "127.0.0.1:8080"], "expected another address than that of listen"),
            (["--redis", "http://u:hunter2@h"], "redis: \"http://***@h\", expected redis://"),
            (["--lisen", "x"], "Did you mean '--listen'?"),
            (["--config", "missing.json"], "config: \"missing.json\", expected a file that can be read"),
            (["--api-keys", "missing.json"], "api-keys: \"missing.json\", expected a file that can be read"),
        ])
    func serveNamesTheSetting(arguments: [String], expected: String) async throws {
        let result = try await CommandRun().run(["serve"] + arguments, environment: Self.usable)
        #expect(result.exit == .code(64))
        #expect(result.lines.count == 1)
        #expect(result.output.contains(expected))
        #expect(result.output.hasPrefix("curfew: "))
        #expect(!result.output.contains("hunter2"))
    }

    @Test(
        "a file that somebody else can write, or a secret in it read, is refused",
        arguments: [
            (#"{"log-level":"info"}"#, 0o664, "only its owner can write"),
            (#"{"redis":"redis://u:hunter2@h"}"#, 0o644, "others can't read"),
            (#"{"signing-secret":"0123456789abcdef0123456789abcdef"}"#, 0o604, "others can't read"),
        ])
    func openFile(text: String, mode: Int, expected: String) async throws {
        let run = try CommandRun()
        try run.write(text, to: "c.json")
        try run.setMode(of: "c.json", to: mode)
        let result = try await run.run(["serve", "--config", "c.json"], environment: Self.usable)
        #expect(result.exit == .code(64) && result.lines.count == 1)
        #expect(result.output.contains("config: \"c.json\"") && result.output.contains(expected), "\(result.output)")
        #expect(!result.output.contains("hunter2"))
    }

    @Test("API keys that somebody else can write are refused", arguments: [0o666, 0o620])
    func openKeys(mode: Int) async throws {
        let run = try CommandRun()
        _ = try await run.run(["keys", "api", "--name", "a", "--roles", "read", "--file", "k.json"])
        try run.setMode(of: "k.json", to: mode)
        let result = try await run.run(["serve", "--api-keys", "k.json"], environment: Self.usable)
        #expect(result.exit == .code(64) && result.output.contains("only its owner can write"), "\(result.output)")
    }

    @Test("a secret that is too short is not shown")
    func shortSecret() async throws {
        let result = try await CommandRun().run(["serve"], environment: [Self.secret: "hunter2"])
        #expect(result.exit == .code(64))
        #expect(result.output.contains("signing-secret") && result.output.contains("32 bytes"))
        #expect(!result.output.contains("hunter2"))
    }

    @Test("an unknown variable is refused, with the name that was meant")
    func unknownVariable() async throws {
        let result = try await CommandRun().run(
            ["serve"], environment: Self.usable.merging(["CURFEW_REDISS": "x"]) { $1 })
        #expect(result.exit == .code(64))
        #expect(result.output.contains("CURFEW_REDISS") && result.output.contains("did you mean CURFEW_REDIS?"))
    }

    @Test("an unknown key of the file is refused, with the name that was meant")
    func unknownKey() async throws {
        let run = try CommandRun()
        try run.write(#"{"listen":"127.0.0.1:1","partition":4}"#, to: "c.json")
        let result = try await run.run(["serve", "--config", "c.json"], environment: Self.usable)
        #expect(result.exit == .code(64))
        #expect(result.output.contains("\"partition\"") && result.output.contains("did you mean partitions?"))
    }

    @Test("a file that is no flat object is refused", arguments: ["", "[]", "{\"listen\":[1]}", "{\"listen\":null}"])
    func otherFiles(text: String) async throws {
        let run = try CommandRun()
        try run.write(text, to: "c.json")
        let result = try await run.run(["serve", "--config", "c.json"], environment: Self.usable)
        #expect(result.exit == .code(64))
        #expect(result.lines.count == 1)
    }

    @Test("flags win over variables, variables over the file")
    func precedence() async throws {
        let run = try CommandRun()
        try run.write(#"{"partitions":2001,"threads":3000}"#, to: "c.json")
        let variables = Self.usable.merging(["CURFEW_CONFIG": "c.json"]) { $1 }
        let file = try await run.run(["serve"], environment: variables)
        #expect(file.output.contains("partitions: \"2001\"") && file.output.contains("(from c.json)"))
        let both = variables.merging(["CURFEW_PARTITIONS": "2002"]) { $1 }
        let variable = try await run.run(["serve"], environment: both)
        #expect(variable.output.contains("partitions: \"2002\"") && variable.output.contains("CURFEW_PARTITIONS"))
        let flag = try await run.run(["serve", "--partitions", "2003"], environment: both)
        #expect(flag.output.contains("partitions: \"2003\"") && flag.output.contains("--partitions"))
    }

    @Test(
        "client commands say what was expected",
        arguments: [
            ["revoke"], ["revoke", "--user", "a", "--everyone"], ["revoke", "--session", "s", "--device", "d"],
            ["revoke", "--user", "a", "--timeout", "2"], ["issue"], ["validate"],
            ["issue", "--url", "localhost", "--user", "a"],
            ["issue", "--user", "a", "--attributes", "[]"], ["frobnicate"], ["dev", "--nodes", "0"],
            ["dev", "--port", "65535"], ["dev", "--demo-port", "8081"],
            ["keys", "api", "--name", "a b", "--roles", "read"], ["keys", "api", "--name", "a", "--roles", "root"],
        ])
    func clientCommands(arguments: [String]) async throws {
        let result = try await CommandRun().run(arguments)
        #expect(result.exit == .code(64))
        #expect(result.lines.count == 1)
    }

    @Test("nobody there is exit code 69")
    func nobodyThere() async throws {
        let port = try findFreePort()
        let result = try await CommandRun().run(["cluster", "--url", "http://127.0.0.1:\(port)", "--api-key", "k"])
        #expect(result.exit == .code(69))
        #expect(result.lines.count == 1)
    }

    @Test(
        "help and version are exit code 0",
        arguments: [["--help"], ["--version"], ["serve", "--help"], ["dev", "--help"]])
    func helpAndVersion(arguments: [String]) async throws {
        let result = try await CommandRun().run(arguments)
        #expect(result.exit == .code(0))
        #expect(!result.output.isEmpty)
    }
}
