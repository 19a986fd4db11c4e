// Replies that no script of ours gives: each is an error with the operation's name, never a crash.

import CurfewRedis
import Testing

@testable import CurfewNode

@Suite("Replies of scripts") struct ReplyTests {
    private static func poll(number: String) -> RedisValue {
        let texts = ["same", number, "00000000000000a1", "inc", number, number, number, "3"]
        return .array(texts.map { .bytes(Array($0.utf8)) } + [.array([])])
    }

    @Test("a number up to 2^63 - 1 is taken, a larger one is refused")
    func numbers() throws {
        #expect(try PollAnswer(Self.poll(number: "9223372036854775807")).longestTokenLifetime == .max)
        #expect(throws: RedisError.unexpectedReply(operation: "poll", expected: "a number")) {
            try PollAnswer(Self.poll(number: "9223372036854775808"))
        }
    }
}
