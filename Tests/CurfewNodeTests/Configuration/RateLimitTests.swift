// The form of a rate limit: a count, a slash, a window, and nothing that could be read in two ways.

import CurfewNode
import Testing

@Suite("The form of a rate limit")
struct RateLimitTests {
    @Test("a count and a window are what they say")
    func good() {
        #expect(RateLimit(setting: "60/1m") == RateLimit(count: 60, window: .seconds(60)))
        #expect(RateLimit(setting: "10000/24h") == RateLimit(count: 10_000, window: .seconds(86_400)))
        #expect(RateLimit(setting: "1/1s") == RateLimit(count: 1, window: .seconds(1)))
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "/", "60", "60/", "/1m", "0/1m", "-1/1m", "+1/1m", "60/0s", "60/500ms", "60/1500ms", "60/25h",
            "10001/1m",
            "60/1m/1m", " 60/1m", "60 /1m", "6.5/1m", "٦/1m", "99999999999999999999/1m", "60/1", "OFF",
        ])
    func bad(text: String) {
        #expect(RateLimit(setting: text) == nil)
    }
}
