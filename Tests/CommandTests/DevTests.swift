// `curfew dev`: up and ready with one command, and nothing left behind, however it ends.

import Foundation
import Glibc
import Testing
import TestSupport

@Suite("curfew dev", .serialized)
struct DevTests {
    private struct DevFile: Decodable {
        struct Node: Decodable {
            let `public`: String
            let admin: String
            let pid: Int32
        }
        let redis: String
        let apiKey: String
        let nodes: [Node]
    }

    /// The first of `count` ports in a row that were free a moment ago.
    private static func ports(_ count: Int) async throws -> Int {
        var first = 0
        try await eventually("\(count) free ports in a row") {
            first = try findFreePort()
            return first + count < 32_000
        }
        return first
    }

    private static func isAlive(_ pid: Int32) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
        return stat.split(separator: ")").last?.split(separator: " ").first != "Z"
    }

    private static func started(_ run: CommandRun, _ dev: SpawnedProcess) async throws -> DevFile {
        try await eventually(deadline: .seconds(60), "dev.json") {
            if let exit = dev.status() { throw Ended(exit: exit, output: try run.read("curfew.log")) }
            return FileManager.default.fileExists(atPath: run.folder + "/.curfew/dev.json")
        }
        return try JSONDecoder().decode(DevFile.self, from: Data(try run.read(".curfew/dev.json").utf8))
    }

    private struct Ended: Error {
        let exit: SpawnedProcess.Exit
        let output: String
    }

    /// Whether something accepts connections where the URL points.
    private static func isListening(_ url: String) -> Bool {
        guard let port = URL(string: url)?.port else { return false }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    @Test("node i has port + 2i and port + 2i + 1, the file is private, and SIGTERM ends all of it with exit code 0")
    func comesUpAndGoes() async throws {
        let run = try CommandRun()
        let port = try await Self.ports(4)
        let dev = try run.start(["dev", "--nodes", "2", "--port", "\(port)"])
        let file = try await Self.started(run, dev)
        #expect(file.nodes.map(\.public) == [port, port + 2].map { "http://127.0.0.1:\($0)" })
        #expect(file.nodes.map(\.admin) == [port + 1, port + 3].map { "http://127.0.0.1:\($0)" })
        #expect(file.redis.hasPrefix("redis://127.0.0.1:"))
        #expect(try run.mode(of: ".curfew/dev.json") == 0o600)
        #expect(try run.mode(of: ".curfew") == 0o700)
        let issued = try await run.run(["issue", "--user", "u_42", "--only-token"])
        #expect(issued.exit == .code(0))
        let validated = try await run.run(["validate", try #require(issued.lines.first)])
        #expect(validated.exit == .code(0) && validated.output.contains("u_42"))
        let revoked = try await run.run(["revoke", "--user", "u_42", "--wait", "cluster"])
        #expect(revoked.exit == .code(0) && revoked.output.contains("by 2 of 2 nodes"))
        #expect(try await run.run(["validate", issued.lines[0]]).exit == .code(1))
        dev.send(SIGTERM)
        try await eventually("dev ends") { dev.status() != nil }
        #expect(dev.status() == .code(0))
        #expect(!file.nodes.contains { Self.isAlive($0.pid) })
        #expect(!FileManager.default.fileExists(atPath: run.folder + "/.curfew/dev.json"))
    }

    @Test("killed with SIGKILL, it leaves no node and no Redis")
    func nothingOutlivesIt() async throws {
        let run = try CommandRun()
        let dev = try run.start(["dev", "--nodes", "2", "--port", "\(try await Self.ports(4))"])
        let file = try await Self.started(run, dev)
        #expect(Self.isListening(file.redis))
        dev.killAndWait()
        try await eventually("the nodes are gone") { !file.nodes.contains { Self.isAlive($0.pid) } }
        try await eventually("the Redis is gone") { !Self.isListening(file.redis) }
    }

    @Test("a busy port is one line and exit code 64")
    func busyPort() async throws {
        let run = try CommandRun()
        let port = try await Self.ports(6)
        let dev = try run.start(["dev", "--nodes", "1", "--port", "\(port)"])
        _ = try await Self.started(run, dev)
        let second = try await CommandRun().run(["dev", "--nodes", "3", "--port", "\(port)"])
        #expect(second.exit == .code(64))
        #expect(second.lines.count == 1 && second.output.contains("port \(port) is in use"))
        dev.send(SIGINT)
        try await eventually("dev ends") { dev.status() != nil }
        #expect(dev.status() == .code(0))
    }

    @Test("the story: valid on the others, revoked on the third, refused on the first two")
    func story() async throws {
        let run = try CommandRun()
        let port = try await Self.ports(6)
        let result = try await run.run(["dev", "--port", "\(port)", "--story", "--once"])
        #expect(result.exit == .code(0))
        let steps = result.lines.filter { $0.hasSuffix(" ms") }
        #expect(steps.count == 6)
        #expect(steps.count { $0.contains("200  active") } == 2)
        #expect(steps.count { $0.contains("401  session_revoked") } == 2)
    }

    @Test("a setting that the nodes would refuse starts nothing")
    func wrongSetting() async throws {
        let result = try await CommandRun().run(["dev"], environment: ["CURFEW_PARTITIONS": "0"])
        #expect(result.exit == .code(64))
        #expect(result.lines.count == 1)
    }
}
