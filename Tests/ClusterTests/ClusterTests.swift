// The cluster as its users meet it: real redis-servers, real `curfew serve` processes, HTTP. Nothing here imports the code
// under test. One suite a promise or a kind of fault, each in its own file, one after the other (they share the machine).
//
//   swift test --filter ClusterTests                   all of it
//   swift test --filter ClusterTests/FencedRevoke      one suite
//   CURFEW_REPEAT=20 swift test --filter 'ClusterTests/(FencedRevoke|ForkedLog|Lost|Newcomers|NoResur|Propag|Reconn)'
//                                                      the propagation and fault tests, twenty times
//
// A failed expectation prints the last lines that each node has logged.

import Foundation
import TestSupport
import Testing

/// Everything that starts processes.
@Suite(.serialized, .showsNodeLogs) enum ClusterTests {
    /// How often the propagation and fault tests are run: once, or `CURFEW_REPEAT` times.
    static let rounds: [Int] = {
        let wanted = ProcessInfo.processInfo.environment["CURFEW_REPEAT"].flatMap { Int($0) } ?? 1
        return Array(1...max(1, wanted))
    }()
}

/// Gives all tests of a suite one cluster, which they leave as healthy as they found it.
struct SharedCluster: SuiteTrait, TestScoping {
    @TaskLocal static var shared: ClusterHarness?

    let options: ClusterOptions

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await ClusterHarness.run(options) { cluster in
            try await cluster.settle()
            try await Self.$shared.withValue(cluster) { try await function() }
        }
    }

    /// The suite's cluster, with every node ready.
    static func ready() async throws -> ClusterHarness {
        let cluster = try #require(shared)
        try await cluster.ready()
        return cluster
    }
}

extension Trait where Self == SharedCluster {
    /// One cluster for the suite.
    static func cluster(_ options: ClusterOptions = ClusterOptions()) -> Self { SharedCluster(options: options) }
}

extension Trait where Self == IssueHandlingTrait {
    /// Adds what the nodes have logged to whatever goes wrong.
    static var showsNodeLogs: Self {
        .compactMapIssues { issue in
            let heading = "the nodes' last lines:\n"
            // The trait is inherited, and applied once a level.
            if issue.comments.contains(where: { $0.rawValue.hasPrefix(heading) }) { return issue }
            var issue = issue
            issue.comments.append(Comment(rawValue: heading + NodeLogs.lastLines()))
            return issue
        }
    }
}
