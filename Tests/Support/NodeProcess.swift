// One `curfew serve`, as a process of its own: its settings stay the same over restarts, so do its ports. What it logs is
// kept in a file, of which a failed test prints the last lines.

import Foundation
import Glibc
import Synchronization

/// What a node is started with; everything else is the default.
package struct NodeSettings: Sendable {
    package var name: String
    private let ports: [ReservedPort]
    package var publicPort: Int { ports[0].number }
    package var adminPort: Int { ports[1].number }
    package var redisURL: String
    package var namespace: String
    package var partitions = 4
    package var stalenessBoundMilliseconds = 1_000
    package var logLevel = "info"
    package var secret: String
    package var apiKey: String
    /// Further arguments of `serve`.
    package var arguments: [String] = []
    /// Further environment; a usual variable that is `nil` here is left out.
    package var environment: [String: String?] = [:]
    package var logPath: String

    /// Ports of its own; the secrets are new ones of this test run.
    package init(name: String, redisURL: String, namespace: String, directory: String) throws {
        self.name = name
        self.redisURL = redisURL
        self.namespace = namespace
        ports = [try ReservedPort(), try ReservedPort()]
        logPath = "\(directory)/\(name.replacing(" ", with: "-")).log"
        secret = Self.clusterSecret
        apiKey = Self.clusterKey
    }

    private static let clusterSecret = "secret-" + randomHex(32)
    private static let clusterKey = "key-" + randomHex(32)

    private static func randomHex(_ bytes: Int) -> String {
        (0..<bytes).map { _ in
            let byte = UInt8.random(in: 0...255)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// The command line after the program's name. What `arguments` says goes before the usual.
    package var commandLine: [String] {
        let usual = [
            "--listen": "127.0.0.1:\(publicPort)", "--admin-listen": "127.0.0.1:\(adminPort)", "--redis": redisURL,
            "--namespace": namespace, "--partitions": "\(partitions)",
            "--staleness-bound": "\(stalenessBoundMilliseconds)ms", "--log-level": logLevel,
            "--rate-limit-issue": "off", "--rate-limit-refresh": "off",
            "--authentication-failure-limit-user": "off", "--authentication-failure-limit-address": "off",
        ].filter { !arguments.contains($0.key) }
        return ["serve"] + usual.flatMap { [$0.key, $0.value] } + arguments
    }

    /// This process' environment without any `CURFEW_…` of whoever runs the tests, and with this node's secrets.
    package var fullEnvironment: [String: String] {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CURFEW_") }
        variables["CURFEW_SIGNING_SECRET"] = secret
        variables["CURFEW_API_KEY"] = apiKey
        for (name, value) in environment { variables[name] = value }
        return variables
    }
}

/// A node that can be started, paused, killed and started again.
package final class NodeProcess: Sendable {
    /// The built executable: beside the running test binary, or where `CURFEW_EXECUTABLE` says.
    package static let executable: String = {
        if let path = ProcessInfo.processInfo.environment["CURFEW_EXECUTABLE"] { return path }
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("curfew").path
    }()

    package let settings: NodeSettings
    private let child = Mutex<SpawnedProcess?>(nil)

    package init(_ settings: NodeSettings) { self.settings = settings }

    package var name: String { settings.name }
    package var api: APIClient {
        APIClient(publicPort: settings.publicPort, adminPort: settings.adminPort, apiKey: settings.apiKey)
    }

    /// Starts it, or starts it again. Doesn't wait for anything.
    package func start() throws {
        let started = try SpawnedProcess(
            Self.executable, settings.commandLine, environment: settings.fullEnvironment, logPath: settings.logPath)
        child.withLock { $0 = started }
        NodeLogs.watch(self)
    }

    /// How it ended; `nil` while it runs (or never started).
    package var exit: SpawnedProcess.Exit? { process?.status() }

    /// Memory that it has now; `nil` where it isn't running.
    package var residentBytes: Int? {
        guard let process, let text = try? String(contentsOfFile: "/proc/\(process.pid)/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// SIGTERM; doesn't wait.
    package func terminate() { process?.send(SIGTERM) }
    /// SIGKILL, and gone when this returns.
    package func kill() { process?.killAndWait() }
    /// SIGSTOP: alive, its sockets open, and not one instruction further when this returns.
    package func pause() { process?.pause() }
    /// SIGHUP: reads its files again.
    package func hangUp() { process?.send(SIGHUP) }
    /// SIGCONT.
    package func resume() { process?.resume() }

    /// Waits for it to end by itself.
    package func ended(within limit: Duration = .seconds(10)) async throws -> SpawnedProcess.Exit? {
        try await eventually(deadline: limit, "\(name) exits") { self.exit != nil }
        return exit
    }

    /// Waits until it is ready. Fails at once when it has exited instead.
    package func ready(within limit: Duration = .seconds(20)) async throws {
        do {
            try await eventually(deadline: limit, "\(name) is ready") {
                if self.exit != nil { return true }
                return await self.api.isReady()
            }
        } catch let error as NeverHappened {
            let answer = try? await api.call("GET", "/health/ready", on: .public, timeout: .seconds(1))
            throw NodeEnded(description: "\(error): \(answer?.everything ?? "no answer")")
        }
        if let exit { throw NodeEnded(description: "\(name) ended with \(exit) instead of serving:\n\(lastLines(20))") }
    }

    /// Everything it has said since its first start.
    package var log: String {
        (try? String(decoding: Data(contentsOf: URL(fileURLWithPath: settings.logPath)), as: UTF8.self)) ?? ""
    }

    /// The end of what it has said.
    package func lastLines(_ count: Int) -> String {
        log.split(separator: "\n").suffix(count).map { "\(name) | \($0)" }.joined(separator: "\n")
    }

    private var process: SpawnedProcess? { child.withLock { $0 } }
}

/// A node ended when it had to serve.
package struct NodeEnded: Error, CustomStringConvertible {
    package let description: String
    package init(description: String) { self.description = description }
}

/// The nodes that run just now, for what a failed test prints.
package enum NodeLogs {
    private static let nodes = Mutex<[NodeProcess]>([])

    static func watch(_ node: NodeProcess) {
        nodes.withLock { nodes in if !nodes.contains(where: { $0 === node }) { nodes.append(node) } }
    }

    package static func forget(_ node: NodeProcess) { nodes.withLock { $0.removeAll { $0 === node } } }

    /// The last lines of every node that is watched.
    package static func lastLines(_ count: Int = 15) -> String {
        nodes.withLock { $0 }.map { $0.lastLines(count) }.joined(separator: "\n")
    }
}
