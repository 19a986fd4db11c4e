// Time as text and as arithmetic that never traps.

import Testing

@testable import CurfewCore

@Suite struct TimeTests {
    @Test(
        "wall time is written as RFC 3339 and read back",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_769_851_800, "2026-01-31T09:30:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
        ])
    func known(seconds: Int64, text: String) {
        #expect(WallTime(seconds: seconds).rfc3339 == text)
        #expect(WallTime(rfc3339: text)?.seconds == seconds)
    }

    @Test("every day of 400 years comes back")
    func everyDay() {
        for day in Int64(0)..<146_097 {
            let time = WallTime(seconds: 946_684_800 + day * 86_400 + 86_399)
            guard WallTime(rfc3339: time.rfc3339) == time else {
                Issue.record("\(time.rfc3339) does not come back")
                return
            }
        }
    }

    @Test(
        "dates that do not exist and other forms are refused",
        arguments: [
            "", "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
            "2026-01-01t00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00z", "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00.0Z", "2026-01-01T00:00:00", "+026-01-01T00:00:00Z", "2026-01-01T00:00:0 Z",
        ])
    func refused(text: String) {
        #expect(WallTime(rfc3339: text) == nil)
    }

    @Test("moments outside four-digit years are written as the nearest inside")
    func bounded() {
        #expect(WallTime(seconds: .max).rfc3339 == "9999-12-31T23:59:59Z")
        #expect(WallTime(seconds: .min).rfc3339 == "0000-01-01T00:00:00Z")
    }

    @Test("boot time adds and subtracts durations and stops at the ends")
    func bootTime() {
        let time = BootTime(nanoseconds: 1_000)
        #expect(time + .microseconds(2) == BootTime(nanoseconds: 3_000))
        #expect(BootTime(nanoseconds: 3_000) - time == .microseconds(2))
        #expect(time - BootTime(nanoseconds: 3_000) == .microseconds(-2))
        #expect(BootTime(nanoseconds: .max) + .seconds(1) == BootTime(nanoseconds: .max))
        #expect(BootTime(nanoseconds: .min) + .seconds(-1) == BootTime(nanoseconds: .min))
        #expect(BootTime(nanoseconds: .max) - BootTime(nanoseconds: .min) == .nanoseconds(Int64.max))
        #expect(time - .distantPast > .seconds(86_400 * 365))
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.nanoseconds(-5).wholeNanoseconds == -5)
    }
}
