// Ports on loopback: whether one is free, and a free one.

import NIOCore
import NIOPosix

enum Ports {
    /// Throws exit code 64 naming the first port that something else listens on.
    static func require(_ ports: [Int], option: String = "--port") async throws {
        for port in ports {
            do {
                _ = try await bound(port)
            } catch {
                let expected = ports.count == 1 ? "" : ", expected \(ports.count) free ports from \(ports[0])"
                throw CommandFailure(.usage, "port \(port) is in use\(expected); \(option) chooses others")
            }
        }
    }

    /// One that was free a moment ago.
    static func free() async throws -> Int { try await bound(0) }

    private static func bound(_ port: Int) async throws -> Int {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: port).get()
        let port = channel.localAddress?.port ?? port
        try await channel.close()
        return port
    }
}
