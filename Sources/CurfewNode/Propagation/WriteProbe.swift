// Whether a primary may still write, asked behind every script whose writing is taken for a proof of that. Redis before 7.0
// lets scripts write where `min-replicas-to-write` forbids it, and refuses plain commands only: a primary that was cut off
// would go on making its nodes fresh.

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
        for reply in replies.dropFirst() { try verify(reply) }
        return try replies[0].checked(for: operation)
    }

    /// Throws where Redis refused it for want of replicas: what a script did before it on the same connection doesn't count.
    /// Any other trouble (a slot on the move, a full disk) the scripts have met themselves.
    static func verify(_ reply: RedisValue) throws(RedisError) {
        if case .error(let message) = reply, message.hasPrefix("NOREPLICAS") {
            throw .server(operation: "write probe", message: message)
        }
    }
}
