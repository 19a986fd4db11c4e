// Clients that log in, validate and log out at all nodes without pause, while something happens to Redis; and what must hold
// of everything that they were answered.

import Synchronization
import TestSupport
import Testing

/// Clients that issue, validate and revoke at every node until they are stopped. Of five sessions one lives on.
final class WriteLoad: Sendable {
    private struct State {
        var isStopping = false
        /// Whose revoke was answered 200, and when that answer was read.
        var revoked: [(session: TestSession, returned: Int64, isFenced: Bool)] = []
        /// Who was issued and never revoked.
        var kept: [TestSession] = []
        var refused = 0
        /// Answers that are neither 2xx nor 503.
        var wrong: [String] = []
    }

    private let nodes: [NodeProcess]
    private let live: TestSession
    private let newUser: @Sendable () -> String
    private let hammer: Hammer
    private let state = Mutex(State())

    /// `live` is validated throughout and never revoked.
    init(
        _ nodes: [NodeProcess], live: TestSession, of newUser: @escaping @Sendable () -> String = ClusterHarness.newUser
    ) {
        self.nodes = nodes
        self.live = live
        self.newUser = newUser
        hammer = Hammer(nodes, [live])
    }

    var revokedCount: Int { state.withLock { $0.revoked.count } }
    var refusedCount: Int { state.withLock { $0.refused } }

    /// Runs the load during `body`, and judges it: nobody was active after a fenced revoke of theirs, who was never revoked
    /// was never refused, every revoke that returned 200 and every login that returned 201 is in force everywhere once the
    /// nodes are ready, and what did not return so was answered 503, or not at all.
    func during(on cluster: some WritableCluster, _ body: () async throws -> Void) async throws {
        let samples = try await withThrowingTaskGroup(of: Void.self) { group in
            for index in nodes.indices { group.addTask { await self.work(at: index) } }
            let result: Result<Void, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            state.withLock { $0.isStopping = true }
            try await group.waitForAll()
            let samples = await hammer.stop()
            try result.get()
            return samples
        }
        let seen = state.withLock { $0 }
        for entry in seen.revoked where entry.isFenced {
            let late = samples.active(beganAfter: entry.returned, of: entry.session.token)
            #expect(late.isEmpty, "active after a fenced revoke: \(late.count)")
        }
        cluster.expectNeverRefused(samples, of: live.token)
        #expect(seen.wrong.isEmpty)
        try await cluster.ready()
        try await cluster.expectRevokedNow(seen.revoked.map(\.session))
        try await cluster.expectActive([live] + seen.kept)
    }

    private func work(at index: Int) async {
        var round = index
        while !state.withLock({ $0.isStopping }) {
            round += 1
            do {
                let session = try await nodes[index].api.issue(newUser())
                aim(at: session)
                guard !round.isMultiple(of: 5) else {
                    state.withLock { $0.kept.append(session) }
                    continue
                }
                _ = try await nodes[(index + 1) % nodes.count].api.validate(session.token)
                let options: RevokeOptions = round % 3 == 0 ? .none : .cluster
                let answer = try await nodes[(index + 2) % nodes.count].api
                    .revoke(["userId": .string(session.user)], options)
                let returned = BootClock.now
                guard answer.status == 200 else { throw UnexpectedAnswer("revoke", answer) }
                state.withLock { $0.revoked.append((session, returned, options.waits)) }
            } catch {
                // Redis is away now and then: that is the point.
                state.withLock {
                    $0.refused += 1
                    guard let answer = (error as? UnexpectedAnswer)?.answer, answer.status != 503 else { return }
                    $0.wrong.append(answer.everything)
                }
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// The hammer validates the last few of those that are about to be revoked.
    private func aim(at session: TestSession) {
        let last = state.withLock { $0.revoked.suffix(6).map(\.session.token) }
        hammer.aim(at: [live.token, session.token] + last)
    }
}

/// What a load needs to know of the nodes that it works at.
protocol WritableCluster: NodeGroup {
    /// Returns once every node is.
    func ready() async throws
}

extension SentinelCluster: WritableCluster {}
extension RedisClusterHarness: WritableCluster {}
