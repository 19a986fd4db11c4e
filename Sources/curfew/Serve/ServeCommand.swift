// `curfew serve`: one node, until a signal.

import ArgumentParser
import CurfewNode
import Foundation
import Logging

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run one node.",
        discussion: """
            Each option is also an environment variable (--staleness-bound is CURFEW_STALENESS_BOUND) and a key in the \
            file of --config ("staleness-bound"); flags win over variables, variables over the file. \
            Durations are 500ms, 30s, 15m, 24h, 30d. SIGTERM or SIGINT stops it: what is in flight is still answered.

            \(ExitStatus.help)
            """)

    @OptionGroup var flags: ServeFlags
    /// How `dev` makes sure that no node outlives it, however it ends.
    @Flag(name: .customLong("stop-when-input-ends"), help: .hidden) var stopsWhenInputEnds = false

    func run() async throws {
        let sources = try await ConfigurationSources(
            flags: flags.texts, config: flags.config, environment: ProcessInfo.processInfo.environment)
        let configuration = try sources.configuration()
        let level = configuration.logLevel
        LoggingSystem.bootstrap { _ in LineLogHandler(level: level) }
        let logger = Logger(label: "curfew")
        if stopsWhenInputEnds { InputEnd.terminateThisProcess() }
        warn(about: configuration, logger)
        try await Node(configuration: configuration, logger: logger).run()
    }

    private func warn(about configuration: NodeConfiguration, _ logger: Logger) {
        if configuration.apiKeys.isEmpty {
            logger.warning("no api-keys and no api-key: the admin listener will refuse every call")
        }
        if case .grace(let grace) = configuration.onStale {
            logger.warning(
                "on-stale grace: without Redis, revoked sessions may be served past the staleness bound",
                metadata: ["grace": "\(grace.settingText)"])
        }
    }
}

/// Standard input as a lifeline.
private enum InputEnd {
    /// Asks this process to stop as SIGTERM would, once whoever holds the other end of standard input is gone, and
    /// ends it 6 s later if it is still there.
    static func terminateThisProcess() {
        Thread.detachNewThread {
            while !FileHandle.standardInput.availableData.isEmpty {}
            kill(getpid(), SIGTERM)
            Thread.sleep(forTimeInterval: 6)
            exit(ExitStatus.internal.rawValue)
        }
    }
}
