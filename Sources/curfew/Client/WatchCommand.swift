// `curfew watch`: the audit log of the whole cluster as it is written. Goes on where it was when its node is gone for a while.

import ArgumentParser
import Foundation

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Show what happens to sessions in the whole cluster, as it happens.",
        discussion: """
            Until it is interrupted. Where the node can't be reached it tries again, and misses nothing that the cluster still \
            keeps (--audit-stream of its nodes).

            \(ExitStatus.help)
            """)

    @Option(help: "Begin at this time instead of now: RFC 3339, such as 2026-01-31T09:30:00Z.") var since: String?
    @Option(help: "Only what has to do with this user.") var user: String?
    @Option(help: "Only what has to do with this session.") var session: String?
    @Option(help: "Only this event, such as session.terminated.") var event: String?
    @OptionGroup(title: "Node") var client: ClientOptions

    private static let pause = Duration.seconds(1)

    func run() async throws {
        let client = try client.client()
        var query = URLComponents()
        query.queryItems = [("since", since), ("userId", user), ("sessionId", session), ("event", event)]
            .compactMap { name, value in value.map { URLQueryItem(name: name, value: $0) } }
        let text = (query.percentEncodedQuery ?? "").replacing("+", with: "%2B")
        var lastID: String?
        // Counts once its entry is whole (HTML Living Standard section 9.2.6).
        var nextID: String?
        var isAway = true
        while true {
            do {
                try await client.stream("/v1/audit" + (text.isEmpty ? "" : "?\(text)"), lastID: lastID) { line in
                    if isAway { Terminal.complain("watching \(client.base)") }
                    isAway = false
                    if line.hasPrefix("id: ") { nextID = String(line.dropFirst(4)) }
                    if line.isEmpty { lastID = nextID ?? lastID }
                    if line.hasPrefix("data: ") { show(String(line.dropFirst(6))) }
                }
            } catch let failure as CommandFailure {
                // At the first try whoever typed it is told at once. A node says an id as soon as it is connected to.
                guard lastID != nil, failure.status == .unavailable || failure.isGateway else { throw failure }
            }
            if !isAway { Terminal.complain("the node is gone; trying again") }
            isAway = true
            try await Task.sleep(for: Self.pause)
        }
    }

    private func show(_ line: String) {
        guard !client.json, let entry = try? JSONDecoder().decode([String: String].self, from: Data(line.utf8)) else {
            return Terminal.say(line)
        }
        let known = ["timestamp", "event", "userId", "sessionId", "deviceId", "tenantId", "scope", "reason", "signal"]
        let head = known.prefix(2).map { entry[$0] ?? "" }
        let rest = known.dropFirst(2).compactMap { name in entry[name].map { "\(name)=\($0)" } }
        Terminal.say((head + rest).map(Terminal.printable).joined(separator: "  "))
    }
}
