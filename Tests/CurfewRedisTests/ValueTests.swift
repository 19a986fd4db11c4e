// Small pure things: pauses, digests, what is asked of replies, what is cut out of messages, the budget.

import Testing

@testable import CurfewRedis

@Suite struct ValueTests {
    @Test("pauses double from the minimum, are jittered within the upper half, and never exceed the cap")
    func backoff() {
        let backoff = Backoff(minimum: .milliseconds(10), maximum: .milliseconds(250))
        for attempt in [0, 1, 2, 3, 4, 5, 10, 63, 1000, Int.max] {
            let whole = attempt < 5 ? Duration.milliseconds(10 << attempt) : .milliseconds(250)
            #expect(backoff.pause(attempt: attempt, random: 0) == whole / 2)
            #expect(backoff.pause(attempt: attempt, random: 1) == whole)
            #expect(backoff.pause(attempt: attempt, random: 0.5) == whole / 4 * 3)
            #expect(backoff.pause(attempt: attempt, random: 7) == whole)
        }
        let reversed = Backoff(minimum: .seconds(9), maximum: .milliseconds(250))
        #expect(reversed.pause(attempt: 0, random: 1) == .milliseconds(250))
    }

    @Test("a script is known by the SHA-1 of its text")
    func digest() {
        #expect(RedisScript(name: "s", source: Array("abc".utf8)).digest == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(RedisScript(name: "s", source: []).digest == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    }

    @Test("a reply that is not what was asked for is an error with the operation's name")
    func expectations() throws {
        let text = RedisValue.bytes(Array("7".utf8))
        #expect(try RedisValue.integer(7).integer(for: "X") == 7)
        #expect(try text.text(for: "X") == "7")
        #expect(try RedisValue.status("OK").text(for: "X") == "OK")
        #expect(try text.bytes(for: "X") == [55])
        #expect(try text.bytesIfPresent(for: "X") == [55])
        #expect(try RedisValue.null.bytesIfPresent(for: "X") == nil)
        #expect(try RedisValue.array([text]).array(for: "X") == [text])
        #expect(try RedisValue.array([text]).array(of: 1, for: "X") == [text])
        #expect(throws: RedisError.unexpectedReply(operation: "X", expected: "an integer")) {
            try text.integer(for: "X")
        }
        #expect(throws: RedisError.unexpectedReply(operation: "X", expected: "text")) {
            try RedisValue.bytes([0xFF]).text(for: "X")
        }
        #expect(throws: RedisError.unexpectedReply(operation: "X", expected: "an array of 2")) {
            try RedisValue.array([text]).array(of: 2, for: "X")
        }
        let refused = RedisError.server(operation: "X", message: "ERR no")
        let error = RedisValue.error("ERR no")
        #expect(throws: refused) { try error.integer(for: "X") }
        #expect(throws: refused) { try error.text(for: "X") }
        #expect(throws: refused) { try error.bytes(for: "X") }
        #expect(throws: refused) { try error.bytesIfPresent(for: "X") }
        #expect(throws: refused) { try error.array(for: "X") }
        #expect(throws: refused) { try error.checked(for: "X") }
    }

    @Test("what Redis says is one bounded line without the arguments that it quotes")
    func cleaning() {
        #expect(
            RedisError.cleaned("ERR unknown command 'AUTH', with args beginning with: 's3cret' ")
                == "ERR unknown command 'AUTH'")
        #expect(RedisError.cleaned("ERR a\r\nb\u{1B}[m") == "ERR a b [m")
        #expect(RedisError.cleaned(String(repeating: "x", count: 5000)).count == RedisError.maximumMessageLength)
    }

    @Test("the budget counts commands and bytes, and lets one large request through alone")
    func budget() {
        var limits = RedisLimits()
        limits.maximumPending = 3
        limits.maximumPendingBytes = 100
        let budget = PendingBudget(limits: limits)
        #expect(!budget.take(commands: 4, bytes: 1))
        #expect(budget.take(commands: 1, bytes: 500))
        #expect(!budget.take(commands: 1, bytes: 1))
        budget.giveBack(commands: 1, bytes: 500)
        #expect(budget.take(commands: 2, bytes: 60))
        #expect(!budget.take(commands: 1, bytes: 41))
        #expect(!budget.take(commands: 2, bytes: 1))
        #expect(budget.take(commands: 1, bytes: 40))
    }
}
