// A Redis that lives in another time.

import Foundation

/// A redis-server whose wall clock is another.
package final class ShiftedRedis: Sendable {
    package let socket: String
    private let directory: String
    private let process: SpawnedProcess

    package init(_ clock: ShiftedClock) throws {
        directory = try makePrivateDirectory()
        socket = directory + "/redis.sock"
        let environment = ProcessInfo.processInfo.environment.merging(clock.environment, uniquingKeysWith: { $1 })
        process = try SpawnedProcess(
            "/usr/bin/env",
            [RedisServer.executable, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", directory]
                + RedisUser.arguments,
            environment: environment, logPath: directory + "/redis.log")
    }

    package func stop() {
        process.killAndWait()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// What the command answers, as `redis-cli` would print it.
    @discardableResult package func call(_ arguments: [String]) throws -> String {
        var connection = try RedisCall(unixSocket: socket)
        return try connection.call(arguments)
    }
}
