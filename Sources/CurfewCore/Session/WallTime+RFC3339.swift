// Wall time as RFC 3339 text, in the one form that Curfew writes and reads: `2026-01-31T09:30:00Z`, UTC, whole
// seconds, years 0000 to 9999. The calendar is computed with days counted from March, so that leap days come last.

extension WallTime {
    /// The length of the text in bytes.
    public static let rfc3339ByteCount = 20

    private static let yearZero: Int64 = -62_167_219_200
    private static let yearTenThousand: Int64 = 253_402_300_800

    /// The text that `init(rfc3339:)` reads. A moment outside the years 0000–9999 is written as the nearest inside.
    public var rfc3339: String {
        String(unsafeUninitializedCapacity: Self.rfc3339ByteCount) { bytes in
            writeRFC3339(into: UnsafeMutableRawBufferPointer(bytes))
            return Self.rfc3339ByteCount
        }
    }

    /// Writes the text's 20 bytes at the start of `target`, without allocating.
    public func writeRFC3339(into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= Self.rfc3339ByteCount)
        let bounded = min(max(seconds, Self.yearZero), Self.yearTenThousand - 1) - Self.yearZero
        let (days, rest) = bounded.quotientAndRemainder(dividingBy: 86_400)
        let date = CivilDate(daysSinceYearZero: Int(days))
        let second = Int(rest)
        func write(_ value: Int, digits: Int, at start: Int) {
            var value = value
            for offset in (0..<digits).reversed() {
                target[start + offset] = UInt8(48 + value % 10)
                value /= 10
            }
        }
        write(date.year, digits: 4, at: 0)
        write(date.month, digits: 2, at: 5)
        write(date.day, digits: 2, at: 8)
        write(second / 3600, digits: 2, at: 11)
        write(second / 60 % 60, digits: 2, at: 14)
        write(second % 60, digits: 2, at: 17)
        target[4] = UInt8(ascii: "-")
        target[7] = UInt8(ascii: "-")
        target[10] = UInt8(ascii: "T")
        target[13] = UInt8(ascii: ":")
        target[16] = UInt8(ascii: ":")
        target[19] = UInt8(ascii: "Z")
    }

    /// Reads exactly the form that `rfc3339` writes; `nil` for any other, and for a date that does not exist.
    public init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.rfc3339ByteCount else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            bytes[range].reduce(0) { value, byte in
                value.flatMap { (48...57).contains(byte) ? $0 * 10 + Int(byte) - 48 : nil }
            }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            hour < 24, minute < 60, second < 60, (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSinceYearZero
        self.init(seconds: Self.yearZero + Int64(days * 86_400 + hour * 3600 + minute * 60 + second))
        // Separators in the wrong place and the 31st of a short month both come back as another text.
        guard rfc3339 == text else { return nil }
    }
}

/// A day of the proleptic Gregorian calendar.
private struct CivilDate {
    let year: Int
    let month: Int
    let day: Int

    init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// Days since 0000-01-01 (at least 0).
    init(daysSinceYearZero days: Int) {
        // 0000-03-01 is day 60; one era of 400 years before it keeps everything positive.
        let shifted = days - 60 + 146_097
        let (era, dayOfEra) = shifted.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + (era - 1) * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSinceYearZero: Int {
        let marchYear = year - (month <= 2 ? 1 : 0) + 400
        let (era, yearOfEra) = marchYear.quotientAndRemainder(dividingBy: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 146_097 + 60
    }
}
