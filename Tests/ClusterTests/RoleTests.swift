// Who may do what at the admin listener: every call there is, with a key of each role.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Roles {
        private enum Role: String, CaseIterable { case read, issue, revoke, admin }

        /// Every call of docs/api.md's table, and the least role that may make it; `nil` for everybody.
        private static let calls: [(method: String, path: String, role: Role?)] = [
            ("GET", "/health/live", nil), ("GET", "/health/ready", nil), ("GET", "/openapi.json", .read),
            ("GET", "/.well-known/jwks.json", nil), ("GET", "/.well-known/oauth-authorization-server", nil),
            ("POST", "/v1/issue", .issue), ("POST", "/v1/authentication-failures", .issue),
            ("POST", "/v1/states", .issue), ("POST", "/v1/states/consume", .issue),
            ("POST", "/v1/validate", .read), ("POST", "/v1/validate/batch", .read), ("POST", "/v1/revoke", .revoke),
            ("GET", "/v1/sessions/{id}", .read), ("PATCH", "/v1/sessions/{id}", .issue),
            ("POST", "/v1/sessions/{id}/rotate", .issue), ("DELETE", "/v1/sessions/{id}", .revoke),
            ("GET", "/v1/users/{userId}/sessions", .read), ("DELETE", "/v1/users/{userId}/sessions", .revoke),
            ("PUT", "/v1/users/{userId}/permissions", .revoke), ("GET", "/v1/cluster", .read),
            ("GET", "/v1/audit", .read), ("GET", "/metrics", .read),
            ("POST", "/oauth2/introspect", .read), ("POST", "/oauth2/revoke", .revoke),
        ]

        @Test("a key does what its role may, on every call there is, and gets 403 forbidden for all else")
        func everyCall() async throws {
            let directory = try makePrivateDirectory()
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let file = directory + "/api-keys.json"
            var keys: [(role: Role, key: String)] = []
            for role in Role.allCases { keys.append((role, try Self.makeKey(role, in: file))) }
            let options = ClusterOptions(nodes: 1, arguments: ["--api-keys", file])
            try await ClusterHarness.run(options) { cluster in
                let api = cluster.nodes[0].api
                let session = try await api.issue(ClusterHarness.newUser())
                let described = try await api.call("GET", "/openapi.json").json["paths"]
                for (path, item) in described.members {
                    for method in item.members.keys where method != "parameters" {
                        #expect(
                            Self.calls.contains { $0.path == path && $0.method == method.uppercased() },
                            "\(method) \(path) is not in the table")
                    }
                }
                for call in Self.calls {
                    let path = call.path.replacing("{id}", with: session.id)
                        .replacing("{userId}", with: session.user)
                        // Has no end, for whom it has a beginning.
                        .replacing("/v1/audit", with: "/v1/audit?since=never")
                    for (role, key) in keys {
                        // With a body that no call takes: who may make the call is told so, and nothing is done.
                        let answer = try await APIClient(
                            publicPort: api.publicPort, adminPort: api.adminPort, apiKey: key
                        ).call(call.method, path, text: call.method == "GET" ? nil : "[]")
                        let mayCall = call.role == nil || role == call.role || role == .admin
                        let isForbidden = answer.status == 403 && answer.code == "forbidden"
                        #expect(isForbidden == !mayCall, "\(role) \(call.method) \(path): \(answer.status)")
                    }
                }
                for target: [String: JSON] in [["tenantId": "t"], ["everyone": true]] {
                    for (role, key) in keys where role != .admin {
                        let answer = try await APIClient(
                            publicPort: api.publicPort, adminPort: api.adminPort, apiKey: key
                        ).revoke(target)
                        #expect(answer.status == 403 && answer.code == "forbidden", "\(role) \(target)")
                    }
                }
            }
        }

        /// By the command itself: prints the key, and adds its hash to the file.
        private static func makeKey(_ role: Role, in file: String) throws -> String {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: NodeProcess.executable)
            process.arguments = ["keys", "api", "--name", role.rawValue, "--roles", role.rawValue, "--file", file]
            let output = Pipe()
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return try String(#require(text.firstMatch(of: /cfk_[A-Za-z0-9_-]+/)).output)
        }
    }
}
