// Whether a primary may still write, asked behind every script whose writing is taken for a proof of that. Redis before 7.0
// lets scripts write where `min-replicas-to-write` forbids it, and refuses plain commands only: a primary that was cut off
// would go on making its nodes fresh. Only a write that was done proves it: between the script and the probe that primary
// may have become a replica, or handed the slot on, and refuse for that reason what it would have refused for the other.

import CurfewCore
import CurfewRedis

enum WriteProbe {
    /// A write that changes nothing, on a key that the partition's scripts write too.
    static func command(_ keys: StoreKeys, _ partition: Partition) -> RedisCommand {
        RedisCommand("HDEL", [RedisArgument(keys.nodes(partition)), ""])
    }

    /// Runs a script on a partition with nothing but a probe behind it, where one is wanted, and gives its reply.
    static func run(
        _ call: RedisScriptCall, then probe: RedisCommand?, on link: any RedisLink, for operation: String
    ) async throws(RedisError) -> RedisValue {
        let probes = probe.map { [$0] } ?? []
        let replies = try await link.evaluateAll([call], then: probes)
        guard replies.count == 1 + probes.count else {
            throw .unexpectedReply(operation: operation, expected: "a reply to each command")
        }
        let reply = try replies[0].checked(for: operation)
        for probe in replies.dropFirst() { try verify(probe) }
        return reply
    }

    /// Throws `unproven` unless it was done. Not a redirect that a caller may follow: the script has run.
    static func verify(_ reply: RedisValue) throws(RedisError) {
        do throws(RedisError) {
            _ = try reply.checked(for: "write probe")
        } catch {
            guard case .server(let operation, let message) = error else { throw error }
            throw .unproven(operation: operation, message: message)
        }
    }
}
