// Durations as people write them in settings: `500ms`, `15m`, `24h`, `30d`. One number, one unit, nothing else, so
// that no value can be read in two ways.

extension Duration {
    /// A whole number and its unit: `ms`, `s`, `m`, `h` or `d`. `nil` for anything else, or past 100 years.
    package init?(setting text: some StringProtocol) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), let unit = DurationUnit(rawValue: String(text.dropFirst(digits.count)))
        else { return nil }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow, milliseconds <= 36_525 * DurationUnit.days.milliseconds else { return nil }
        self = .milliseconds(milliseconds)
    }

    /// The same text back, in the largest unit that leaves a whole number.
    package var settingText: String {
        let milliseconds = wholeMilliseconds
        for unit in DurationUnit.allCases.reversed() where milliseconds >= unit.milliseconds {
            if milliseconds % unit.milliseconds == 0 { return "\(milliseconds / unit.milliseconds)\(unit.rawValue)" }
        }
        return "\(milliseconds)ms"
    }

    /// Rounded down.
    package var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    /// What tokens and records can carry.
    var isWholeSeconds: Bool { components.attoseconds == 0 }
}

/// From the smallest to the largest.
private enum DurationUnit: String, CaseIterable {
    case milliseconds = "ms"
    case seconds = "s"
    case minutes = "m"
    case hours = "h"
    case days = "d"

    var milliseconds: Int64 {
        switch self {
        case .milliseconds: 1
        case .seconds: 1000
        case .minutes: 60_000
        case .hours: 3_600_000
        case .days: 86_400_000
        }
    }
}
