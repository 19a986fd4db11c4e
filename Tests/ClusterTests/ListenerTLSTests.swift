// Listeners that end TLS themselves: everything goes through it, nothing beside it, certificates are replaced while the node runs, and
// the admin listener's clients may have to show one.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct ListenerTLS {
        private struct Subject {
            let node: NodeProcess
            let certificates: TestCertificates
            let redis: RedisServer

            func onPublic<Result>(_ body: (SecureClient) async throws -> Result) async throws -> Result {
                try await SecureClient.run(port: node.settings.publicPort, certificates, body)
            }

            func onAdmin<Result>(
                as certificate: String? = nil, _ body: (SecureClient) async throws -> Result
            ) async throws -> Result {
                try await SecureClient.run(
                    port: node.settings.adminPort, certificates, certificate: certificate, body)
            }
        }

        private func withNode(
            _ arguments: [String] = [], _ body: (Subject) async throws -> Void
        ) async throws {
            let directory = try makePrivateDirectory()
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let certificates = try TestCertificates(in: directory)
            let redis = try await RedisServer.start()
            var settings = try NodeSettings(
                name: "secure", redisURL: redis.url, namespace: "tls", directory: directory)
            settings.arguments =
                ["--tls-cert", certificates.certificate, "--tls-key", certificates.key]
                + arguments.map { $0.replacing("{}", with: directory) }
            let node = NodeProcess(settings)
            try node.start()
            defer { node.kill() }
            let subject = Subject(node: node, certificates: certificates, redis: redis)
            try await eventually("the node is ready") {
                #expect(node.exit == nil, "\(node.lastLines(5))")
                return try await subject.onPublic { try await $0.call("GET", "/health/ready").status } == 200
            }
            try await body(subject)
        }

        @Test("serve all calls, say so to browsers, and answer nobody who comes without TLS, or with an old one")
        func everything() async throws {
            try await withNode { subject in
                let key = subject.node.settings.apiKey
                let issued = try await subject.onAdmin {
                    try await $0.call("POST", "/v1/issue", body: ["userId": "u_1"], bearer: key)
                }
                #expect(issued.status == 201 && issued.header("strict-transport-security") == "max-age=31536000")
                let token = try #require(issued.json["token"].string)
                try await subject.onPublic { client in
                    for _ in 0..<20 {
                        let answer = try await client.call("GET", "/v1/validate", bearer: token)
                        #expect(answer.status == 200 && answer.json["userId"] == "u_1")
                        #expect(answer.header("strict-transport-security") == "max-age=31536000")
                    }
                    let refused = try await client.call("GET", "/v1/validate", bearer: "none")
                    #expect(refused.status == 401 && refused.header("strict-transport-security") != nil)
                    let batch = (0..<1_000).map { _ in JSON.string(token) }
                    let answers = try await subject.onAdmin {
                        try await $0.call("POST", "/v1/validate/batch", body: ["tokens": .array(batch)], bearer: key)
                    }
                    #expect(answers.status == 200 && answers.json["results"].array.count == 1_000)
                }
                let plain = await subject.node.api.isReady()
                #expect(!plain)
                // As lax as the client may be.
                for version in ["-tls1", "-tls1_1"] {
                    let isTaken = try Self.handshake(subject, version, "-cipher", "DEFAULT@SECLEVEL=0")
                    #expect(!isTaken)
                }
                for version in ["-tls1_2", "-tls1_3"] { #expect(try Self.handshake(subject, version)) }
                let weak = try Self.handshake(subject, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:AES128-SHA")
                #expect(!weak)
            }
        }

        @Test(
            "a new certificate is taken over, connections that are there go on, and one that can't be used changes nothing"
        )
        func replacement() async throws {
            try await withNode { subject in
                let before = try Self.serial(subject)
                try await subject.onPublic { client in
                    #expect(try await client.call("GET", "/health/live").status == 200)
                    try subject.certificates.sign("server")
                    try await eventually("newcomers get the new certificate") { try Self.serial(subject) != before }
                    #expect(try await client.call("GET", "/health/live").status == 200)
                }
                let now = try Self.serial(subject)
                // A key of another certificate.
                try subject.certificates.sign("other")
                try FileManager.default.removeItem(atPath: subject.certificates.key)
                try FileManager.default.moveItem(
                    atPath: subject.certificates.directory + "/other.key", toPath: subject.certificates.key)
                try await eventually("the node says why") {
                    subject.node.log.contains("certificate not read again, those of before stay")
                        && subject.node.log.contains("the key of tls-cert as tls-key")
                }
                #expect(try Self.serial(subject) == now)
                try subject.certificates.sign("server", days: 3)
                subject.node.hangUp()
                try await eventually("and goes on once it can") { try Self.serial(subject) != now }
            }
        }

        @Test("a stop waits for no client that says no goodbye, and leaves the membership")
        func stop() async throws {
            try await withNode { subject in
                let output = subject.certificates.directory + "/client.log"
                let client = try SpawnedProcess(
                    "/usr/bin/openssl",
                    [
                        "s_client", "-connect", "127.0.0.1:\(subject.node.settings.publicPort)", "-ign_eof", "-CAfile",
                        subject.certificates.authority,
                    ], environment: [:], logPath: output)
                defer { client.killAndWait() }
                try await eventually("the client is connected") {
                    try String(contentsOfFile: output, encoding: .utf8).contains("Verify return code: 0")
                }
                #expect(try subject.redis.call(["HKEYS", "tls:{0}:nodes"]).isEmpty == false)
                client.pause()
                subject.node.terminate()
                #expect(try await subject.node.ended() == .code(0))
                #expect(try subject.redis.call(["HKEYS", "tls:{0}:nodes"]).isEmpty)
            }
        }

        @Test("who never begins to speak TLS has no place for good, not even one too many")
        func silence() async throws {
            try await withNode(["--max-connections", "2"]) { subject in
                let port = subject.node.settings.publicPort
                let silent = try (0..<4).map { _ in try RawConnection(port: port) }
                try await eventually("those that are too many are closed") {
                    silent.count { $0.isClosed(withinMilliseconds: 10) } >= 2
                }
            }
        }

        @Test("the admin listener takes nobody without a certificate of its authorities, and still wants the key")
        func clientCertificates() async throws {
            try await withNode(["--admin-client-ca", "{}/ca.pem"]) { subject in
                let key = subject.node.settings.apiKey
                try subject.certificates.sign("backend")
                try subject.certificates.sign("thief", by: "stranger")
                func status(_ certificate: String?, bearer: String?) async throws -> Int {
                    try await subject.onAdmin(as: certificate) {
                        try await $0.call("GET", "/v1/cluster", bearer: bearer).status
                    }
                }
                #expect(try await status("backend", bearer: key) == 200)
                #expect(try await status("backend", bearer: nil) == 401)
                for certificate in [nil, "thief"] {
                    await #expect(throws: (any Error).self) { try await status(certificate, bearer: key) }
                }
                #expect(try await subject.onPublic { try await $0.call("GET", "/health/live").status } == 200)
                // The command line, as an operator uses it.
                let directory = subject.certificates.directory
                let known = try Self.run([
                    NodeProcess.executable, "cluster", "--url", "https://localhost:\(subject.node.settings.adminPort)",
                    "--api-key", key, "--ca", subject.certificates.authority, "--cert", directory + "/backend.pem",
                    "--cert-key", directory + "/backend.key",
                ])
                #expect(known.status == 0 && known.output.contains("all fresh"))
                let stranger = try Self.run([
                    NodeProcess.executable, "cluster", "--url", "https://localhost:\(subject.node.settings.adminPort)",
                    "--api-key", key,
                ])
                #expect(stranger.status == 69)
            }
        }

        @Test(
            "what can't be ends the start with one line",
            arguments: [
                (["--tls-cert", "{}/server.pem"], "tls-cert: \"{}/server.pem\", expected tls-key with it"),
                (["--admin-client-ca", "{}/ca.pem"], "expected tls-cert and tls-key with it"),
                (["--tls-cert", "{}/server.pem", "--tls-key", "{}/ca.key"], "expected the key of tls-cert"),
                (["--tls-cert", "{}/server.key", "--tls-key", "{}/server.key"], "expected certificates in PEM"),
                (["--tls-cert", "{}/none", "--tls-key", "{}/server.key"], "expected a file that can be read"),
                (["--tls-cert", "{}/server.pem", "--tls-key", "{}/server.pem"], "others can't read"),
                (["--listen", "0.0.0.0:8080"], "off loopback tls-cert and tls-key, or allow-plaintext"),
            ])
        func refused(arguments: [String], line: String) throws {
            let directory = try makePrivateDirectory()
            defer { try? FileManager.default.removeItem(atPath: directory) }
            _ = try TestCertificates(in: directory)
            let run = try Self.run(
                [NodeProcess.executable, "serve"] + arguments.map { $0.replacing("{}", with: directory) },
                environment: ["CURFEW_SIGNING_SECRET": String(repeating: "s", count: 32)])
            #expect(run.status == 64)
            #expect(run.output.contains(line.replacing("{}", with: directory)), "\(run.output)")
            #expect(run.output.split(separator: "\n").count == 1)
        }

        // MARK: -

        private static func run(
            _ arguments: [String], environment: [String: String] = [:]
        ) throws -> (status: Int32, output: String) {
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = arguments
            process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CURFEW_") }
                .merging(environment) { $1 }
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = pipe
            process.standardError = pipe
            try process.run()
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: output, as: UTF8.self))
        }

        private static func client(_ subject: Subject, _ arguments: [String]) throws -> (status: Int32, output: String)
        {
            try run(
                [
                    "openssl", "s_client", "-connect", "127.0.0.1:\(subject.node.settings.publicPort)", "-CAfile",
                    subject.certificates.authority, "-verify_return_error",
                ] + arguments)
        }

        /// Whether one comes about.
        private static func handshake(_ subject: Subject, _ arguments: String...) throws -> Bool {
            !(try client(subject, arguments).output.contains("Cipher is (NONE)"))
        }

        /// Of the certificate that a newcomer gets.
        private static func serial(_ subject: Subject) throws -> String {
            let output = try client(subject, []).output
            let lines = output.split(separator: "\n")
            guard let start = lines.firstIndex(where: { $0.contains("BEGIN CERTIFICATE") }) else {
                throw NodeEnded(description: "no certificate: \(output)")
            }
            return lines[start...].prefix(8).joined()
        }
    }
}
