// A stretch of a partition's log, as Redis answers it.

import CurfewCore
import CurfewRedis

enum LogPage {
    /// From this entry on, itself included: at most so many.
    static func command(
        from position: LogPosition, count: Int, of partition: Partition, _ keys: StoreKeys
    ) -> RedisCommand {
        RedisCommand(
            "XRANGE",
            [
                RedisArgument(keys.log(partition)), RedisArgument("\(position.seq)-0"), "+", "COUNT",
                RedisArgument(String(count)),
            ])
    }

    static func events(in reply: RedisValue) throws(RedisError) -> [Event] {
        var events: [Event] = []
        for entry in try reply.array(for: "XRANGE") {
            let fields = try entry.array(for: "XRANGE")
            guard fields.count == 2, let text = try fields[1].array(for: "XRANGE").last?.text(for: "XRANGE"),
                let event = Event(text)
            else { throw .unexpectedReply(operation: "XRANGE", expected: "an event") }
            events.append(event)
        }
        return events
    }
}
