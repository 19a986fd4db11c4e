// Durations in settings.

import CurfewNode
import Testing

@Suite("Durations in settings")
struct DurationTextTests {
    @Test(
        "a number and a unit",
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("0s", .zero), ("30s", .seconds(30)), ("15m", .seconds(900)),
            ("24h", .seconds(86_400)), ("30d", .seconds(2_592_000)),
        ])
    func readsANumberAndAUnit(text: String, expected: Duration) {
        #expect(Duration(setting: text) == expected)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "5", "s", "ms", "-5s", "+5s", "1.5s", "5 s", " 5s", "5s ", "5S", "5sec", "1h30m", "٣s", "5µs",
            "99999999999999999999s", "9223372036854775807d", "36526d",
        ])
    func refusesAnythingElse(text: String) {
        #expect(Duration(setting: text) == nil)
    }

    @Test("what is printed reads back", arguments: ["500ms", "1200ms", "90s", "15m", "36h", "30d", "0ms"])
    func printedReadsBack(text: String) throws {
        let duration = try #require(Duration(setting: text))
        #expect(Duration(setting: duration.settingText) == duration)
        #expect(duration.settingText == text)
    }
}
