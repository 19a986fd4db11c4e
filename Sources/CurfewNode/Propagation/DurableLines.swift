// Connections for `durability: "replica"`. WAIT blocks the connection that it is sent on, and counts that connection's writes
// only: so each such change has a connection to itself while it waits, and the feed's own is never blocked.

import CurfewRedis
import Synchronization

/// A few clients, one change at a time on each.
package final class DurableLines: Sendable {
    /// Changes that can wait for a replica at once. More wait their turn, and get `overloaded` at the deadline: nothing of
    /// theirs was sent by then.
    package static let count = 4
    package let clients: [RedisClient]
    private let busy = Mutex(Set<Int>())

    private let surroundings: any Surroundings

    package init(clients: [RedisClient], surroundings: any Surroundings) {
        self.clients = clients
        self.surroundings = surroundings
    }

    /// Runs `body` with a client of its own.
    func run<Answer>(
        deadline: Duration, _ body: (RedisClient) async throws(RedisError) -> Answer
    ) async throws(RedisError) -> Answer {
        var taken: Int?
        let isFree = await surroundings.wait(upTo: deadline, every: .milliseconds(2)) {
            taken = take()
            return taken != nil
        }
        guard isFree, let index = taken else { throw .overloaded(operation: "WAIT") }
        defer { busy.withLock { _ = $0.remove(index) } }
        return try await body(clients[index])
    }

    private func take() -> Int? {
        busy.withLock { busy in
            guard let free = clients.indices.first(where: { !busy.contains($0) }) else { return nil }
            busy.insert(free)
            return free
        }
    }
}
