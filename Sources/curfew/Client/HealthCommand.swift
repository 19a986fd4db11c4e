// `curfew health`: what a health check of a container or a load balancer asks.

import ArgumentParser
import Foundation

struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Ask a node whether it is ready, by its exit code.",
        discussion: """
            Needs no API key, and may ask either listener. Exits with 0 where every partition is fresh, else with 69, and says why.

            \(ExitStatus.help)
            """)

    @Flag(help: "Ask only whether the process answers.") var live = false
    @OptionGroup(title: "Node") var client: ClientOptions

    private struct Health: Decodable {
        let status: String
        let detail: String?
    }

    func run() async throws {
        let client = try client.client()
        let answer: AdminClient.Answer
        do {
            answer = try await client.call(.get, live ? "/health/live" : "/health/ready", timeout: .seconds(10))
        } catch let failure as CommandFailure {
            // Whatever it is that answers there: it is no node that is ready.
            throw CommandFailure(.unavailable, failure.line)
        }
        if self.client.json { return Terminal.say(answer.text) }
        guard let health = try? answer.decoded(as: Health.self) else {
            throw CommandFailure(.unavailable, "no node of Curfew answers at \(client.base)")
        }
        Terminal.say([health.status, health.detail].compactMap(\.self).joined(separator: ": "))
    }
}
