// Redis as it is run with Sentinel: a primary, two replicas, three sentinels, each with a password of its kind. All of them
// are real servers of the test, stopped by their ids.

import Foundation

/// What a test's deployment is like.
package struct SentinelOptions: Sendable {
    package var sentinels = 3
    /// After how long without an answer the sentinels replace the primary.
    package var downAfterMilliseconds = 1_500
    package var minimumReplicasToWrite = 1
    package var maximumLagSeconds = 10

    package init(downAfterMilliseconds: Int = 1_500, maximumLagSeconds: Int = 10) {
        self.downAfterMilliseconds = downAfterMilliseconds
        self.maximumLagSeconds = maximumLagSeconds
    }
}

/// A primary, two replicas and their sentinels.
package final class SentinelDeployment: Sendable {
    package static let name = "sessions"
    package static let password = "redis-pass"
    package static let sentinelPassword = "sentinel-pass"

    package let options: SentinelOptions
    /// The first begins as the primary.
    package let servers: [RedisServer]
    package let sentinels: [RedisServer]
    /// Replicas and sentinels reach the first server through it.
    package let lineToFirst: FaultProxy

    private init(
        _ options: SentinelOptions, servers: [RedisServer], sentinels: [RedisServer], lineToFirst: FaultProxy
    ) {
        self.options = options
        self.servers = servers
        self.sentinels = sentinels
        self.lineToFirst = lineToFirst
    }

    /// Starts one, waits until everybody knows everybody, runs `body`, and ends it.
    package static func run(
        _ options: SentinelOptions = SentinelOptions(), _ body: (SentinelDeployment) async throws -> Void
    ) async throws {
        let first = try await RedisServer.start(server(options))
        let line = try await FaultProxy.start(to: .tcp(host: "127.0.0.1", port: first.port))
        var servers = [first]
        for _ in 0..<2 { servers.append(try await RedisServer.start(server(options, replicaOf: line.port))) }
        var sentinels: [RedisServer] = []
        for _ in 0..<options.sentinels {
            sentinels.append(try await RedisServer.start(sentinel(options, of: line.port)))
        }
        let deployment = SentinelDeployment(options, servers: servers, sentinels: sentinels, lineToFirst: line)
        let result: Result<Void, any Error>
        do {
            try await deployment.settle()
            result = .success(try await body(deployment))
        } catch {
            result = .failure(error)
        }
        try? await line.stop()
        for server in sentinels + servers { server.stop() }
        try result.get()
    }

    private static func server(_ options: SentinelOptions, replicaOf port: Int? = nil) -> RedisServerOptions {
        var server = RedisServerOptions()
        server.password = password
        server.configuration = [
            "masterauth \(password)", "repl-diskless-sync yes", "repl-diskless-sync-delay 0",
            "min-replicas-to-write \(options.minimumReplicasToWrite)",
            "min-replicas-max-lag \(options.maximumLagSeconds)",
        ]
        if let port { server.configuration.append("replicaof 127.0.0.1 \(port)") }
        return server
    }

    /// A sentinel that watches what listens on `port`.
    package static func sentinel(
        _ options: SentinelOptions, of port: Int, configuration: [String] = []
    ) -> RedisServerOptions {
        var sentinel = RedisServerOptions()
        sentinel.isSentinel = true
        sentinel.password = sentinelPassword
        sentinel.configuration =
            [
                "sentinel monitor \(name) 127.0.0.1 \(port) 2", "sentinel auth-pass \(name) \(password)",
                "sentinel sentinel-pass \(sentinelPassword)",
                "sentinel down-after-milliseconds \(name) \(options.downAfterMilliseconds)",
                "sentinel failover-timeout \(name) 4000", "sentinel parallel-syncs \(name) 2",
            ] + configuration
        return sentinel
    }

    /// `redis+sentinel://` with these sentinels' ports.
    package func url(_ ports: [Int]) -> String {
        let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        return "redis+sentinel://\(RedisUser.name):\(RedisUser.password)@\(hosts)/\(Self.name)"
    }

    /// The primary as a sentinel knows it now: the proxy's port stands for the first server's.
    package func primary(asSeenBy sentinel: RedisServer) throws -> RedisServer? {
        let answer = try sentinel.call(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self.name])
        let port = answer.split(separator: "\n").last.flatMap { Int($0) }
        return port == lineToFirst.port ? servers[0] : servers.first { $0.port == port }
    }

    /// Waits until each of these sentinels names another primary than the first server.
    package func hasFailedOver(_ sentinels: [RedisServer]? = nil) async throws {
        for sentinel in sentinels ?? self.sentinels {
            try await eventually(deadline: .seconds(60), "a sentinel names another primary") {
                guard let primary = try primary(asSeenBy: sentinel), primary !== servers[0] else { return false }
                return try primary.call(["ROLE"]).hasPrefix("master")
            }
        }
    }

    /// Every sentinel knows the others and both replicas, and the replicas are up to date.
    private func settle() async throws {
        for sentinel in sentinels {
            try await eventually(deadline: .seconds(40), "a sentinel knows the others and the replicas") {
                let lines = try sentinel.call(["SENTINEL", "MASTER", Self.name]).split(separator: "\n")
                func value(_ field: Substring) -> Substring? {
                    lines.firstIndex(of: field).map { lines[lines.index(after: $0)] }
                }
                return value("num-other-sentinels").flatMap { Int($0) } == sentinels.count - 1
                    && value("num-slaves") == "2" && value("flags") == "master"
            }
        }
        for replica in servers.dropFirst() {
            try await eventually("a replica has its first copy") {
                try replica.call(["INFO", "replication"]).contains("master_link_status:up")
            }
        }
    }
}
