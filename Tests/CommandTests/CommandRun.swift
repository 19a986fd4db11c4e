// Runs the built `curfew` as a person would: arguments and environment in, exit code and output out.

import Foundation
import TestSupport

/// A run in a folder of its own, which is gone with it.
final class CommandRun: Sendable {
    let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "curfew-command-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    struct Result {
        let exit: SpawnedProcess.Exit
        let output: String

        /// Without empty ones.
        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// Starts it; what it prints goes to `<folder>/<name>.log`.
    func start(_ arguments: [String], environment: [String: String] = [:], name: String = "curfew") throws
        -> SpawnedProcess
    {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CURFEW_") }
        variables.merge(environment) { $1 }
        return try SpawnedProcess(
            "/bin/sh", ["-c", "cd \"$0\" && exec \"$@\"", folder, NodeProcess.executable] + arguments,
            environment: variables, logPath: "\(folder)/\(name).log")
    }

    /// Runs it to its end.
    func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Result {
        let name = UUID().uuidString
        let process = try start(arguments, environment: environment, name: name)
        try await eventually("\(arguments.joined(separator: " ")) ends") { process.status() != nil }
        guard let exit = process.status() else { throw NotEnded() }
        return Result(exit: exit, output: try read("\(name).log"))
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
    }

    func setMode(of name: String, to mode: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(folder)/\(name)")
    }

    /// The permission bits of a file.
    func mode(of name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
        return (attributes[.posixPermissions] as? Int ?? 0) & 0o777
    }

    private struct NotEnded: Error {}
}
