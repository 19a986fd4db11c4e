// A real redis-server for one test: its own directory, always a unix socket, on request a TCP port (plain or TLS).
// It runs under a small shell that ends it when the test process goes away, so that a crashed test leaves none behind.

import Foundation
import Synchronization

/// How a test's server is started.
package struct RedisServerOptions: Sendable {
    package enum Port: Sendable { case none, plain, tls }
    /// A TCP port beside the unix socket.
    package var port = Port.plain
    /// Added to the environment, such as a `ShiftedClock`'s.
    package var environment: [String: String] = [:]
    /// Lines added to the configuration.
    package var configuration: [String] = []
    /// An ACL user with every right; the default user is then switched off.
    package var user: String?
    /// Without `user`: `requirepass`.
    package var password: String?
    /// Subject alternative names of the certificate, for `.tls`.
    package var certificateNames = ["DNS:localhost", "IP:127.0.0.1"]
    /// A sentinel instead of a server of data.
    package var isSentinel = false
    /// A member of a Redis Cluster, of which this is the node timeout. Its bus has the port 10,000 above the other.
    package var clusterNodeTimeoutMilliseconds: Int?

    package init() {}
}

/// A running redis-server. `stop()` ends it and removes its directory; so does the end of the value.
package final class RedisServer: Sendable {
    /// What a restarted server has.
    package enum Data: Sendable {
        /// Everything: saved just before.
        case kept
        /// What the last SAVE wrote: later writes are lost.
        case asLastSaved
        case empty
    }

    private struct Running {
        var shell: Process
        var leash: Pipe
        var pid: pid_t
    }

    /// `redis-server`, or another version of it where `CURFEW_TEST_REDIS_SERVER` says.
    package static let executable = ProcessInfo.processInfo.environment["CURFEW_TEST_REDIS_SERVER"] ?? "redis-server"

    /// Whether it is of 7.0 or newer.
    static let knowsShards: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [executable, "--version"]
        let output = Pipe()
        process.standardOutput = output
        guard (try? process.run()) != nil else { return true }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return !text.contains("v=6.")
    }()

    package let options: RedisServerOptions
    package let directory: String
    /// 0 without a TCP port.
    package let port: Int
    /// Made for `.tls` only.
    package let certificates: TestCertificates?
    private let running = Mutex<Running?>(nil)

    private init(options: RedisServerOptions) throws {
        self.options = options
        directory = try makePrivateDirectory()
        switch options.port {
        case .none:
            port = 0
            certificates = nil
        case .plain:
            port = try options.clusterNodeTimeoutMilliseconds == nil ? findFreePort() : findFreePort(andAbove: 10_000)
            certificates = nil
        case .tls:
            port = try findFreePort()
            certificates = try TestCertificates(in: directory, names: options.certificateNames)
        }
    }

    deinit { stop() }

    /// Returns once the server answers PING.
    package static func start(_ options: RedisServerOptions = RedisServerOptions()) async throws -> RedisServer {
        let server = try RedisServer(options: options)
        try await server.launch()
        return server
    }

    package var unixSocket: String { directory + "/redis.sock" }
    package var pid: pid_t { running.withLock { $0?.pid ?? 0 } }

    /// `redis://127.0.0.1:port/0` or `rediss://localhost:port/0`, with user and password.
    package var url: String {
        let scheme = options.port == .tls ? "rediss" : "redis"
        return "\(scheme)://\(credentials)\(options.port == .tls ? "localhost" : "127.0.0.1"):\(port)/0"
    }
    package var unixURL: String { "redis+unix://\(credentials)\(unixSocket)?db=0" }
    /// For nodes, which have no rights but those of docker/redis/users.acl.
    package var nodesURL: String {
        "redis+unix://\(RedisUser.name):\(RedisUser.password)@\(unixSocket)?db=0"
    }

    private var credentials: String {
        guard let password = options.password else { return "" }
        let encoded = password.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? password
        return "\(options.user ?? ""):\(encoded)@"
    }

    /// One command, over the unix socket, as the configured user. Blocks; meant for tests only.
    @discardableResult package func call(
        _ arguments: [String], as user: (name: String, password: String)? = nil
    ) throws -> String {
        var connection = try RedisCall(unixSocket: unixSocket)
        if let user {
            _ = try connection.call(["AUTH", user.name, user.password])
        } else if let password = options.password {
            _ = try connection.call(["AUTH"] + (options.user.map { [$0] } ?? []) + [password])
        }
        return try connection.call(arguments)
    }

    /// The errors that it has answered since it started or was told CONFIG RESETSTAT, by code. (Redirections among them since 7.0.)
    package func errorCounts() throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for line in try call(["INFO", "errorstats"]).split(whereSeparator: \.isNewline) {
            guard let match = line.wholeMatch(of: /errorstat_([A-Z]+):count=(\d+)/) else { continue }
            counts[String(match.output.1)] = Int(match.output.2)
        }
        return counts
    }

    /// Writes its snapshot. (While it copies itself for a replica it refuses to.)
    package func save() async throws {
        try await eventually("Redis saves") { try call(["SAVE"]) == "OK" }
    }

    /// SIGSTOP: connections stay open, nothing answers.
    package func pause() { signal(SIGSTOP) }
    package func resume() { signal(SIGCONT) }

    /// Ends the server with SIGKILL; the directory and its data stay.
    package func crash() {
        let ended = running.withLock { state in
            defer { state = nil }
            return state
        }
        guard let ended else { return }
        kill(ended.pid, SIGKILL)
        try? ended.leash.fileHandleForWriting.close()
        ended.shell.waitUntilExit()
    }

    /// Ends it (if it still runs) and starts it again on the same addresses, for this once with further configuration.
    package func restart(_ data: Data, configuration: [String] = []) async throws {
        if pid != 0, case .kept = data { try await save() }
        crash()
        if case .empty = data { try? FileManager.default.removeItem(atPath: directory + "/dump.rdb") }
        try await launch(further: configuration)
    }

    /// Ends the server and removes its directory. Safe to call twice.
    package func stop() {
        crash()
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func signal(_ number: Int32) {
        let pid = pid
        if pid != 0 { kill(pid, number) }
    }

    private func launch(further: [String] = []) async throws {
        let file = directory + "/redis.conf"
        try (configuration() + further + [""]).joined(separator: "\n").write(
            toFile: file, atomically: false, encoding: .utf8)
        let shell = Process()
        let leash = Pipe()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = [
            "-c", "\"$@\" </dev/null >/dev/null 2>&1 & cat >/dev/null; kill -9 $! 2>/dev/null; wait",
            "curfew-test-redis", Self.executable, file,
        ]
        shell.environment = ProcessInfo.processInfo.environment.merging(options.environment, uniquingKeysWith: { $1 })
        if options.isSentinel { shell.arguments?.append("--sentinel") }
        shell.standardInput = leash
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = FileHandle.nullDevice
        try shell.run()
        do {
            try await eventually("redis-server in \(directory) answers") {
                if try call(["PING"]) != "PONG" { return false }
                let line = try call(["INFO", "server"]).split(whereSeparator: \.isNewline)
                    .first { $0.hasPrefix("process_id:") }
                guard let pid = line.flatMap({ pid_t($0.dropFirst("process_id:".count)) }) else { return false }
                running.withLock { $0 = Running(shell: shell, leash: leash, pid: pid) }
                return true
            }
        } catch {
            try? leash.fileHandleForWriting.close()
            let log = (try? String(contentsOfFile: directory + "/redis.log", encoding: .utf8)) ?? ""
            throw RedisCallError(description: "\(error)\n\(log.suffix(2000))")
        }
    }

    private func configuration() -> [String] {
        var lines = [
            "bind 127.0.0.1", "unixsocket \(unixSocket)", "dir \(directory)", "logfile \(directory)/redis.log",
            "daemonize no", "save \"\"", "appendonly no", "maxmemory-policy noeviction",
        ]
        switch options.port {
        case .none: lines.append("port 0")
        case .plain: lines.append("port \(port)")
        case .tls:
            lines += ["port 0", "tls-port \(port)", "tls-auth-clients no"]
            if let certificates {
                lines += [
                    "tls-cert-file \(certificates.certificate)", "tls-key-file \(certificates.key)",
                    "tls-ca-cert-file \(certificates.authority)",
                ]
            }
        }
        if let timeout = options.clusterNodeTimeoutMilliseconds {
            lines += [
                "cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout \(timeout)",
                "cluster-require-full-coverage no", "cluster-replica-validity-factor 0", "repl-diskless-sync-delay 0",
            ]
        }
        if let password = options.password {
            if let user = options.user {
                lines += ["user \(user) on \">\(password)\" ~* &* +@all", "user default off"]
            } else {
                lines.append("requirepass \"\(password)\"")
            }
        }
        if !options.isSentinel, options.user == nil { lines.append(RedisUser.line(knowsShards: Self.knowsShards)) }
        return lines + options.configuration
    }
}
