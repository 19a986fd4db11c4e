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

    /// Throws where Redis refused it for want of replicas: what a script did before it on the same connection doesn't count.
    /// Any other trouble (a slot on the move, a full disk) the scripts have met themselves.
    static func verify(_ reply: RedisValue) throws(RedisError) {
        if case .error(let message) = reply, message.hasPrefix("NOREPLICAS") {
            throw .server(operation: "write probe", message: message)
        }
    }
}
