// A strict JSON reader (RFC 8259) over bytes that end in a NUL: no control byte is allowed anywhere in JSON, so the
// NUL ends every loop and nothing else needs a bounds check. It allocates nothing and never looks back.
//
// Whoever uses it has checked that the bytes are UTF-8, and leaves `slack` readable bytes behind the NUL.

struct JSONCursor {
    /// How many bytes behind the NUL must be readable.
    static let slack = 8
    /// How deep arrays and objects of unknown members may nest.
    static let maximumDepth = 8

    let text: UnsafeMutableRawPointer
    private(set) var at = 0

    /// A cursor at the text's start, or behind what is known of it.
    init(_ text: UnsafeMutableRawPointer, at start: Int = 0) {
        self.text = text
        at = start
    }

    /// A string's bytes as they stand between the quotes.
    struct Text {
        // Small, so that it travels in a register.
        private let first: UInt16
        private let behind: UInt16
        let hasEscapes: Bool

        @inline(__always)
        init(start: Int, end: Int, hasEscapes: Bool) {
            first = UInt16(truncatingIfNeeded: start)
            behind = UInt16(truncatingIfNeeded: end)
            self.hasEscapes = hasEscapes
        }

        var start: Int { Int(first) }
        var end: Int { Int(behind) }
        var count: Int { end - start }
        var range: Range<Int> { Range(uncheckedBounds: (start, end)) }
    }

    var byte: UInt8 { text.load(fromByteOffset: at, as: UInt8.self) }

    @inline(__always)
    mutating func skipSpace() {
        while byte <= 0x20, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at &+= 1 }
    }

    /// Steps over `expected`, if that is what comes.
    @inline(__always)
    mutating func take(_ expected: UInt8) -> Bool {
        guard byte == expected else { return false }
        at &+= 1
        return true
    }

    /// A string; `nil` where none comes, and for a raw control character, an escape that JSON has not, or half a
    /// surrogate pair.
    @inline(__always)
    mutating func string() -> Text? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        let start = at
        var hasEscapes = false
        while true {
            let word = text.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian
            let stops = Self.stringStops(word)
            guard stops != 0 else {
                at &+= 8
                continue
            }
            at &+= stops.trailingZeroBitCount >> 3
            if take(UInt8(ascii: "\"")) { return Text(start: start, end: at - 1, hasEscapes: hasEscapes) }
            guard take(UInt8(ascii: "\\")), skipEscape() else { return nil }
            hasEscapes = true
        }
    }

    /// Bit 7 of the lowest byte that ends a run of plain characters (quote, backslash, control) is right; bits above
    /// it may be wrong.
    @inline(__always)
    private static func stringStops(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5c)
        let found = ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | ((word &- ones &* 0x20) & ~word)
        return found & (ones &* 0x80)
    }

    /// Behind the backslash.
    @inline(never)
    private mutating func skipEscape() -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 1
            return true
        case UInt8(ascii: "u"):
            at += 1
            guard let unit = fourHexDigits() else { return false }
            if unit & 0xfc00 == 0xdc00 { return false }
            guard unit & 0xfc00 == 0xd800 else { return true }
            guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")), let low = fourHexDigits() else { return false }
            return low & 0xfc00 == 0xdc00
        default:
            return false
        }
    }

    private mutating func fourHexDigits() -> UInt32? {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch byte {
            case 48...57: digit = byte - 48
            case 65...70: digit = byte - 55
            case 97...102: digit = byte - 87
            default: return nil
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    /// A whole number of 0...Int64.max in its one spelling: no sign, fraction, exponent or leading zero.
    @inline(__always)
    mutating func integer() -> UInt64? {
        let start = at
        var value: UInt64 = 0
        // Eight digits at a time while that can't overflow, then one by one.
        while at &- start < 16, let digits = eightDigits() {
            at &+= 8
            value = value &* 100_000_000 &+ digits
        }
        while case let digit = byte &- 48, digit < 10 {
            at &+= 1
            guard at &- start < 19 || value <= (UInt64(Int64.max) - UInt64(digit)) / 10 else { return nil }
            value = value &* 10 &+ UInt64(digit)
        }
        let count = at &- start
        guard count == 1 || (count > 1 && text.load(fromByteOffset: start, as: UInt8.self) != 48) else { return nil }
        return value
    }

    /// What the next eight bytes say, if all are digits. The first is in the lowest byte: neighbours join to pairs,
    /// pairs to fours, fours to the whole.
    private func eightDigits() -> UInt64? {
        let word = text.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian
        let tops = word & 0xf0f0_f0f0_f0f0_f0f0
        // Adding 6 carries into the upper half of every byte above "9".
        guard tops == 0x3030_3030_3030_3030, (word &+ 0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0 == tops
        else { return nil }
        let values = word & 0x0f0f_0f0f_0f0f_0f0f
        let pairs = (values &* 10 &+ values >> 8) & 0x00ff_00ff_00ff_00ff
        let fours = (pairs &* 100 &+ pairs >> 16) & 0x0000_ffff_0000_ffff
        return (fours & 0xffff_ffff) &* 10_000 &+ fours >> 32
    }
}

// MARK: - What an unknown member may hold

extension JSONCursor {
    /// Steps over any value; `false` where none comes, or where it nests deeper than `maximumDepth`.
    mutating func skipValue(depth: Int = 0) -> Bool {
        switch byte {
        case UInt8(ascii: "\""): return anyString()
        case UInt8(ascii: "{"), UInt8(ascii: "["): return depth < Self.maximumDepth && skipNested(depth: depth + 1)
        case UInt8(ascii: "t"): return skip("true")
        case UInt8(ascii: "f"): return skip("false")
        case UInt8(ascii: "n"): return skip("null")
        default: return skipNumber()
        }
    }

    private mutating func anyString() -> Bool { string() != nil }

    private mutating func skipNested(depth: Int) -> Bool {
        let isObject = byte == UInt8(ascii: "{")
        let close = UInt8(ascii: isObject ? "}" : "]")
        at += 1
        skipSpace()
        if take(close) { return true }
        while true {
            if isObject {
                guard anyString() else { return false }
                skipSpace()
                guard take(UInt8(ascii: ":")) else { return false }
                skipSpace()
            }
            guard skipValue(depth: depth) else { return false }
            skipSpace()
            if take(close) { return true }
            guard take(UInt8(ascii: ",")) else { return false }
            skipSpace()
        }
    }

    private mutating func skip(_ word: StaticString) -> Bool {
        for offset in 0..<word.utf8CodeUnitCount where !take(word.utf8Start[offset]) { return false }
        return true
    }

    private mutating func skipNumber() -> Bool {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { guard skipDigits() else { return false } }
        if take(UInt8(ascii: ".")) { guard skipDigits() else { return false } }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard skipDigits() else { return false }
        }
        return true
    }

    private mutating func skipDigits() -> Bool {
        let start = at
        while byte &- 48 < 10 { at += 1 }
        return at > start
    }
}
