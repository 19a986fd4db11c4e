// `curfew cluster`: the nodes, the partitions and their freshness, as one node sees them.

import ArgumentParser
import Foundation

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Show nodes, partitions and freshness.", discussion: ExitStatus.help)

    @OptionGroup(title: "Node") var client: ClientOptions

    func run() async throws {
        let answer = try await client.client().call(.get, "/v1/cluster")
        Terminal.say(answer.text)
    }
}
