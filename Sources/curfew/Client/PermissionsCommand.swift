// `curfew permissions`: what a user's sessions may do from now on, with the tokens that they have.

import ArgumentParser
import Foundation

struct PermissionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "permissions",
        abstract: "Set what a user may do, on every device and node, with the tokens there are.",
        discussion: ExitStatus.help)

    @Option(help: "Whose permissions.") var user: String
    @Option(name: .customLong("permission"), help: "What the user may do from now on, all of it; repeatable.")
    var permissions: [String] = []
    @Flag(help: "The user may do nothing any more.") var none = false
    @OptionGroup var change: ChangeFlags
    @OptionGroup(title: "Node") var client: ClientOptions

    func validate() throws {
        guard permissions.isEmpty == none else {
            throw ValidationError("Either --permission, as often as needed, or --none is needed")
        }
    }

    func run() async throws {
        var request = change.members
        request["permissions"] = permissions
        let answer = try await client.client().call(
            .put, "/v1/users/\(AdminClient.escaped(user))/permissions", json: request)
        try Changed.tell(answer, asJSON: client.json) { changed, table in
            table.add("permissions", none ? "none" : permissions.joined(separator: " "))
            if let version = changed.permissionsVersion { table.add("version", "\(version)") }
        }
    }
}
