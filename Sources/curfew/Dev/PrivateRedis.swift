// A redis-server of our own: a private folder, a Unix socket for the nodes, a free port on loopback for redis-cli. It
// keeps nothing on disk, and neither it nor its folder outlives `curfew dev`, however that ends: a small shell holds
// the pipe whose other end is ours, and does both when it closes.

import Foundation
import NIOCore
import NIOPosix

struct PrivateRedis {
    let child: ChildProcess
    let port: Int
    private let folder: String

    /// For people and scripts.
    var url: String { "redis://127.0.0.1:\(port)/0" }
    /// For the nodes.
    var socketURL: String { "redis+unix://\(folder)/redis.sock" }

    private static let guardian = """
        folder=$1; shift; exec 3<&0
        "$@" </dev/null & redis=$!
        { cat <&3 >/dev/null; kill -9 "$redis"; } 2>/dev/null &
        wait "$redis"; status=$?
        rm -rf "$folder"
        exit "$status"
        """

    /// Starts it and waits until it listens.
    static func start() async throws -> PrivateRedis {
        guard let program = Self.program() else {
            throw CommandFailure(
                .unavailable,
                "redis-server is not installed (apt-get install redis-server), and no --redis URL was given")
        }
        let redis = try await PrivateRedis(program: program)
        let deadline = ContinuousClock.now + .seconds(10)
        while !FileManager.default.fileExists(atPath: redis.folder + "/redis.sock") {
            guard redis.child.isRunning, ContinuousClock.now < deadline else {
                await redis.stop()
                throw CommandFailure(
                    .unavailable, "redis-server did not start: " + redis.child.lastLines.joined(separator: " | "))
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        return redis
    }

    private init(program: String) async throws {
        var template = Array((NSTemporaryDirectory() + "/curfew-XXXXXX").utf8CString)
        guard let path = mkdtemp(&template) else {
            throw CommandFailure(.internal, "no folder for redis-server: \(String(cString: strerror(errno)))")
        }
        folder = URL(fileURLWithPath: String(cString: path)).standardizedFileURL.path
        port = try await Ports.free()
        let arguments = [
            "-c", Self.guardian, "sh", folder, program, "--port", "\(port)", "--bind", "127.0.0.1", "--dir", folder,
            "--unixsocket", folder + "/redis.sock", "--unixsocketperm", "700", "--save", "", "--appendonly", "no",
            "--maxmemory-policy", "noeviction", "--loglevel", "warning", "--daemonize", "no",
        ]
        child = try ChildProcess(
            name: "redis", program: "/bin/sh", arguments: arguments,
            environment: ProcessInfo.processInfo.environment, prefix: nil)
    }

    /// Ends it and its folder.
    func stop() async {
        child.cutLifeline()
        await child.end(by: .now + .seconds(3))
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func program() -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return (path.split(separator: ":").map(String.init) + ["/usr/local/bin", "/usr/bin"])
            .map { $0 + "/redis-server" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
