// The page of `curfew dev`: only there, for its own page only, and with no secret in any byte that it sends.

import Foundation
import Glibc
import Testing
import TestSupport

@Suite("the demo of curfew dev", .serialized)
struct DemoTests {
    private struct DevFile: Decodable {
        struct Node: Decodable {
            let `public`: String
            let admin: String
            let pid: Int32
        }
        let apiKey: String
        let demo: String
        let nodes: [Node]
    }

    private struct Ended: Error {
        let exit: SpawnedProcess.Exit
        let output: String
    }

    /// A running `curfew dev` of two nodes; ended with the test.
    private final class Dev {
        let file: DevFile
        private let run: CommandRun
        private let process: SpawnedProcess

        init() async throws {
            run = try CommandRun()
            // The page is elsewhere than at the next port: both ways of saying where are tried somewhere.
            process = try run.start(
                ["dev", "--nodes", "2", "--port", "\(try Self.ports(4))", "--demo-port", "\(try findFreePort())"])
            let (run, process) = (run, process)
            try await eventually(deadline: .seconds(60), "dev.json") {
                if let exit = process.status() { throw Ended(exit: exit, output: try run.read("curfew.log")) }
                return FileManager.default.fileExists(atPath: run.folder + "/.curfew/dev.json")
            }
            file = try JSONDecoder().decode(DevFile.self, from: Data(try run.read(".curfew/dev.json").utf8))
        }

        private static func ports(_ count: Int) throws -> Int {
            while true {
                let first = try findFreePort()
                if first + count < 32_000 { return first }
            }
        }

        var port: Int { Self.port(file.demo) }

        static func port(_ url: String) -> Int { URL(string: url)?.port ?? 0 }

        func end() async throws -> SpawnedProcess.Exit? {
            process.send(SIGTERM)
            try await eventually("dev ends") { self.process.status() != nil }
            return process.status()
        }
    }

    /// As the page sends it, unless other fields are given.
    private static func call(
        _ method: String, _ path: String, port: Int, host: String? = nil, fields: [String]? = nil, body: String = ""
    ) async throws -> HTTPAnswer {
        let own = ["Sec-Fetch-Site: same-origin", "Content-Type: application/json"]
        let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host ?? "127.0.0.1:\(port)")"] + (fields ?? own)
        let head = (lines + ["Content-Length: \(body.utf8.count)", "", ""]).joined(separator: "\r\n")
        return try await Task.detached {
            let connection = try RawConnection(port: port)
            connection.send(Array((head + body).utf8))
            return try connection.answer(withinMilliseconds: 10_000)
        }.value
    }

    @Test("nodes have no such page: 404 on the public listener, and on the admin listener with the key")
    func onlyThere() async throws {
        let dev = try await Dev()
        for node in dev.file.nodes {
            let open = try await Self.call("GET", "/demo", port: Dev.port(node.public))
            #expect(open.status == 404 && open.code == "not_found")
            let key = ["Authorization: Bearer \(dev.file.apiKey)"]
            #expect(try await Self.call("GET", "/demo", port: Dev.port(node.admin), fields: key).status == 404)
        }
        #expect(try await Self.call("GET", "/demo", port: dev.port).status == 200)
        for path in ["/", "/demo/", "/demo/phone", "/demo/phone/v1/sessions", "/v1/validate", "/demo/tablet/sign-in"] {
            #expect(try await Self.call("GET", path, port: dev.port).status == 404)
            #expect(try await Self.call("POST", path, port: dev.port).status == 404)
        }
        #expect(try await dev.end() == .code(0))
    }

    @Test("the page and all its calls: security fields, a nonce of its own, and neither the key nor a token")
    func noSecrets() async throws {
        let dev = try await Dev()
        var answers: [HTTPAnswer] = []
        for _ in 1...2 { answers.append(try await Self.call("GET", "/demo", port: dev.port)) }
        let policies = answers.compactMap { $0.header("Content-Security-Policy") }
        #expect(Set(policies).count == 2)
        for (answer, policy) in zip(answers, policies) {
            #expect(answer.header("Content-Type") == "text/html; charset=utf-8")
            let nonce = try #require(policy.firstMatch(of: /script-src 'nonce-([A-Za-z0-9_-]{43})'/)?.1)
            #expect(policy.hasPrefix("default-src 'none'; ") && !policy.contains("unsafe"))
            #expect(policy.contains("frame-ancestors 'none'"))
            let html = String(decoding: answer.body, as: UTF8.self)
            #expect(html.contains("<script nonce=\"\(nonce)\">") && !html.contains("{{"))
            #expect(!html.contains("src=") && !html.contains("href=") && !html.contains("url("))
        }
        for path in ["phone/sign-in", "laptop/sign-in", "phone/permissions"] {
            answers.append(try await Self.call("POST", "/demo/\(path)", port: dev.port))
            #expect(answers.last?.status == 200)
        }
        for device in ["phone", "laptop"] {
            let answer = try await Self.call("GET", "/demo/\(device)/v1/validate", port: dev.port)
            #expect(answer.json["deviceId"].string == device && answer.json["userId"].string == "u_demo")
            answers.append(answer)
        }
        answers.append(try await Self.call("POST", "/demo/phone/v1/logout", port: dev.port, body: #"{"scope":"all"}"#))
        #expect(answers.last?.json["revoked"].int == 2)
        for answer in answers {
            #expect(!answer.everything.contains(dev.file.apiKey))
            #expect(!answer.everything.contains("eyJ"), "a token begins like this")
            #expect(answer.header("Clear-Site-Data") == nil && answer.header("Set-Cookie") == nil)
            #expect(answer.header("Content-Security-Policy")?.contains("default-src 'none'") == true)
            #expect(answer.header("X-Content-Type-Options") == "nosniff")
            #expect(answer.header("Referrer-Policy") == "no-referrer")
            #expect(answer.header("Cross-Origin-Resource-Policy") == "same-origin")
            #expect(answer.header("Cache-Control") == "no-store")
        }
        #expect(try await dev.end() == .code(0))
    }

    @Test("a device's events come through as they happen, and end where the node ends them")
    func events() async throws {
        let dev = try await Dev()
        let port = dev.port
        #expect(try await Self.call("POST", "/demo/laptop/sign-in", port: port).status == 200)
        async let said = Task.detached {
            let connection = try RawConnection(port: port)
            connection.send(Array("GET /demo/laptop/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            var lines: [String] = []
            while !lines.contains(where: { $0.contains("\"reason\":\"logout\"") }) {
                lines.append(try connection.line())
                if lines.last?.hasPrefix("id:") == true, lines.count(where: { $0.hasPrefix("id:") }) == 1 {
                    // It listens: now there is something to hear.
                    Task { _ = try await Self.call("POST", "/demo/laptop/v1/logout", port: port) }
                }
            }
            #expect(connection.isClosed())
            return lines
        }.value
        let lines = try await said
        #expect(lines.first == "HTTP/1.1 200 OK\r" && lines.contains("Content-Type: text/event-stream\r"))
        #expect(lines.contains("event: session.revoked") && lines.contains("Cache-Control: no-store\r"))
        #expect(!lines.joined().contains("eyJ"))
        #expect(try await dev.end() == .code(0))
    }

    @Test("another site's page can't use it: not by its address, not by another name for it")
    func ownPageOnly() async throws {
        let dev = try await Dev()
        let port = dev.port
        let strangers = [
            [], ["Origin: http://evil.example"], ["Origin: null"], ["Sec-Fetch-Site: cross-site"],
            ["Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:1"],
        ]
        for fields in strangers {
            #expect(try await Self.call("POST", "/demo/phone/sign-in", port: port, fields: fields).status == 403)
        }
        for host in [
            "evil.example", "evil.example:\(port)", "127.0.0.1.evil.example", "localhost.evil.example:\(port)",
        ] {
            #expect(try await Self.call("GET", "/demo", port: port, host: host).status == 403)
            #expect(try await Self.call("POST", "/demo/phone/sign-in", port: port, host: host).status == 403)
        }
        #expect(try await Self.call("GET", "/demo/phone/v1/validate", port: port).code == "token_missing")
        let own = ["Origin: http://localhost:\(port)"]
        let name = "localhost:\(port)"
        #expect(
            try await Self.call("POST", "/demo/phone/sign-in", port: port, host: name, fields: own).status == 200)
        #expect(try await dev.end() == .code(0))
    }

    @Test("each device talks to its own node: without it, its calls are 502 and no logout, and the other's go on")
    func ownNodes() async throws {
        let dev = try await Dev()
        for device in ["phone", "laptop"] {
            #expect(try await Self.call("POST", "/demo/\(device)/sign-in", port: dev.port).status == 200)
        }
        kill(dev.file.nodes[1].pid, SIGKILL)
        try await eventually("the laptop has no node") {
            try await Self.call("GET", "/demo/laptop/v1/validate", port: dev.port).status == 502
        }
        for call in ["sign-in", "permissions", "v1/logout"] {
            let answer = try await Self.call("POST", "/demo/laptop/\(call)", port: dev.port)
            #expect(answer.status == 502 && answer.code == "node_unavailable")
        }
        #expect(try await Self.call("GET", "/demo/laptop/v1/events", port: dev.port).status == 502)
        #expect(try await Self.call("GET", "/demo/phone/v1/validate", port: dev.port).status == 200)
        #expect(try await dev.end() == .code(0))
    }
}
