// Numbers as Redis reads and writes them.

import Glibc

enum RedisNumber {
    /// A whole number in its one canonical spelling: no plus, no leading zero, no space.
    static func integer(_ text: Bytes) -> Int64? {
        guard let number = Int64(text.text), Array(String(number).utf8) == text.array else { return nil }
        return number
    }

    /// What strtod takes as a whole, not NaN.
    static func double(_ text: Bytes) -> Double? {
        guard let number = Double(text.text), !number.isNaN else { return nil }
        return number
    }

    /// 17 significant digits, as C's `%.17g`; whole numbers without a point.
    static func text(_ number: Double) -> String {
        if number == number.rounded(.towardZero), abs(number) < 1e17 { return String(Int64(number)) }
        var buffer = [CChar](repeating: 0, count: 40)
        _ = withVaList([number]) { vsnprintf(&buffer, buffer.count, "%.17g", $0) }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
