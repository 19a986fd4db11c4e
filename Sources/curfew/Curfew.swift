// The command `curfew`: its subcommands, and the one place where an error becomes a line on standard error and an
// exit code.

import ArgumentParser
import CurfewNode
import Foundation

/// The root of the command line.
struct CurfewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "curfew",
        abstract: "Sessions on a cluster that agrees: revoke on one node, refused on every node.",
        discussion: ExitStatus.help,
        version: "curfew \(curfewVersion)",
        subcommands: [
            ServeCommand.self, DevCommand.self, IssueCommand.self, ValidateCommand.self, RevokeCommand.self,
            SessionsCommand.self, PermissionsCommand.self, ClusterCommand.self, HealthCommand.self, WatchCommand.self,
            KeysCommand.self,
        ])
}

@main
enum Main {
    static func main() async {
        do {
            var command = try CurfewCommand.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(report(error))
        }
    }

    /// Prints what there is to say, and answers the exit code.
    private static func report(_ error: any Error) -> Int32 {
        switch error {
        case let failure as CommandFailure:
            if !failure.line.isEmpty { Terminal.complain(failure.line) }
            return failure.status.rawValue
        case let setting as SettingError:
            Terminal.complain(setting.description)
            return ExitStatus.usage.rawValue
        case let start as StartError:
            Terminal.complain("\(start)")
            return ExitStatus.usage.rawValue
        case let listener as ListenerError:
            Terminal.complain("\(listener)")
            return ExitStatus.usage.rawValue
        default:
            return reportOther(error)
        }
    }

    /// Without long quoted arguments: a stray one may be a key, a token or a secret. Names of options stay.
    static func masked(_ message: String) -> String {
        var parts = message.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
        for index in stride(from: 1, to: parts.count - 1, by: 2) {
            let quoted = parts[index]
            let name = quoted.hasPrefix("-") ? quoted.prefix { $0 != "=" } : ""
            if quoted.utf8.count > 24, name.count != quoted.count {
                parts[index] = name.isEmpty ? "…" : "\(name)=…"
            }
        }
        return parts.joined(separator: "'")
    }

    /// What ArgumentParser has to say: help, or what was wrong with the arguments. Anything else is a fault of ours.
    private static func reportOther(_ error: any Error) -> Int32 {
        switch CurfewCommand.exitCode(for: error) {
        case .success:
            Terminal.say(CurfewCommand.fullMessage(for: error))
            return ExitStatus.done.rawValue
        case .validationFailure:
            Terminal.complain(masked(CurfewCommand.message(for: error)) + " (--help shows what there is)")
            return ExitStatus.usage.rawValue
        default:
            Terminal.complain("\(error)")
            return ExitStatus.internal.rawValue
        }
    }
}
