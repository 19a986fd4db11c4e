// What every client command takes: where the admin listener is, the key, and the form of the answer.

import ArgumentParser
import Foundation

struct ClientOptions: ParsableArguments {
    @Option(
        help: "Admin listener of a node (default: CURFEW_URL, else \(ClientOptions.defaultURL)).")
    var url: String?
    @Option(
        help: """
            API key (default: CURFEW_API_KEY; with neither --url nor a key given, the first node of \
            "curfew dev" as ./\(DevFile.path) has it).
            """)
    var apiKey: String?
    @Flag(help: "Print the node's answer as it came, JSON.")
    var json = false

    static let defaultURL = "http://127.0.0.1:8081"

    /// The client these options, the environment and a running `curfew dev` amount to.
    func client() throws(CommandFailure) -> AdminClient {
        let environment = ProcessInfo.processInfo.environment
        let givenURL = url ?? environment["CURFEW_URL"]
        let givenKey = apiKey ?? environment["CURFEW_API_KEY"]
        if givenURL == nil, givenKey == nil, let dev = DevFile.read(), let node = dev.nodes.first(where: \.isRunning) {
            return AdminClient(base: node.admin, apiKey: dev.apiKey)
        }
        let base = givenURL ?? Self.defaultURL
        guard base.hasPrefix("http://") || base.hasPrefix("https://") else {
            throw CommandFailure(
                .usage, "--url: \"\(base)\", expected a URL such as \(Self.defaultURL)")
        }
        return AdminClient(base: base.hasSuffix("/") ? String(base.dropLast()) : base, apiKey: givenKey)
    }
}
