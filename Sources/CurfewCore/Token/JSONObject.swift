// Reading a token's header or claims as one JSON object: member by member, no name twice, nothing behind the closing
// brace; and turning the text between quotes into the characters it stands for.

/// What became of a member.
enum MemberOutcome {
    /// It was one of ours, and well formed.
    case read
    /// Its name says nothing to us; its value is still to be stepped over.
    case unknown
    /// It can't be accepted.
    case refused

    init(_ isRead: Bool) { self = isRead ? .read : .refused }
}

extension JSONCursor {
    /// Reads the whole text as one object, or what is left of it behind a comma. `member` is called with the cursor at each value and must tell names of its
    /// own apart. `false` for anything that is not one object, for a name with an escape, and for a name twice.
    @inline(__always)
    mutating func readObject(_ member: (inout JSONCursor, Text) -> MemberOutcome) -> Bool {
        var names = UnknownNames()
        if at == 0 {
            skipSpace()
            guard take(UInt8(ascii: "{")) else { return false }
            skipSpace()
            if take(UInt8(ascii: "}")) { return isAtEnd() }
        }
        while true {
            guard let name = string(), !name.hasEscapes else { return false }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return false }
            skipSpace()
            switch member(&self, name) {
            case .read: break
            case .unknown: guard names.insert(name, of: text), skipValue() else { return false }
            case .refused: return false
            }
            skipSpace()
            if take(UInt8(ascii: "}")) { return isAtEnd() }
            guard take(UInt8(ascii: ",")) else { return false }
            skipSpace()
        }
    }

    /// Three letters and the quote behind them, as a little-endian word: what `name` is, if it has three letters.
    @inline(__always)
    func word(_ name: Text) -> UInt32 {
        text.loadUnaligned(fromByteOffset: name.start, as: UInt32.self).littleEndian
    }

    /// The NUL; a NUL in the middle of the text is told apart by the caller, who knows the length.
    private mutating func isAtEnd() -> Bool {
        skipSpace()
        return byte == 0
    }

    /// Whether the text between the quotes is `word`, letter by letter.
    func equals(_ string: Text, _ word: StaticString) -> Bool {
        string.count == word.utf8CodeUnitCount
            && UnsafeRawBufferPointer(start: text + string.start, count: string.count)
                .elementsEqual(UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }
}

/// Writing the characters that a text stands for, which never takes more bytes than the text has.
struct Unescaping {
    private var source: UnsafeRawPointer
    private var target: UnsafeMutableRawPointer

    /// Writes `string` of `cursor` to `target`, which may be the same place or an earlier one. Returns how many bytes
    /// that gave.
    static func write(_ string: JSONCursor.Text, of cursor: JSONCursor, to target: UnsafeMutableRawPointer) -> Int {
        let end = UnsafeRawPointer(cursor.text + string.end)
        var unescaping = Unescaping(source: UnsafeRawPointer(cursor.text + string.start), target: target)
        while unescaping.source < end { unescaping.step() }
        return unescaping.target - target
    }

    /// The cursor has seen that every escape is whole.
    private mutating func step() {
        let byte = next()
        guard byte == UInt8(ascii: "\\") else { return put(byte) }
        switch next() {
        case UInt8(ascii: "b"): put(0x08)
        case UInt8(ascii: "f"): put(0x0c)
        case UInt8(ascii: "n"): put(0x0a)
        case UInt8(ascii: "r"): put(0x0d)
        case UInt8(ascii: "t"): put(0x09)
        case UInt8(ascii: "u"): putUTF8(scalar())
        case let plain: put(plain)
        }
    }

    private mutating func next() -> UInt8 {
        defer { source += 1 }
        return source[0]
    }

    private mutating func put(_ byte: UInt8) {
        target.storeBytes(of: byte, as: UInt8.self)
        target += 1
    }

    private mutating func scalar() -> UInt32 {
        let unit = unit()
        guard unit & 0xfc00 == 0xd800 else { return unit }
        source += 2
        return 0x10000 + (unit & 0x3ff) << 10 + self.unit() & 0x3ff
    }

    private mutating func unit() -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit = next()
            value = value << 4 | UInt32(digit < 58 ? digit - 48 : (digit | 0x20) - 87)
        }
        return value
    }

    private mutating func putUTF8(_ scalar: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | scalar >> shift & 0x3f) }
        switch scalar {
        case 0..<0x80:
            put(UInt8(scalar))
        case 0x80..<0x800:
            put(UInt8(0xc0 | scalar >> 6))
            put(tail(0))
        case 0x800..<0x10000:
            put(UInt8(0xe0 | scalar >> 12))
            put(tail(6))
            put(tail(0))
        default:
            put(UInt8(0xf0 | scalar >> 18))
            put(tail(12))
            put(tail(6))
            put(tail(0))
        }
    }
}

/// The names of an object's unknown members: at most 32, so that comparing each with all stays cheap for a header that
/// nobody signed.
private struct UnknownNames {
    private var starts = SIMD32<UInt16>()
    private var ends = SIMD32<UInt16>()
    private var count = 0

    /// `false` where the name is there already, or where there are too many.
    mutating func insert(_ name: JSONCursor.Text, of text: UnsafeMutableRawPointer) -> Bool {
        guard count < starts.scalarCount else { return false }
        let bytes = UnsafeRawBufferPointer(start: text + name.start, count: name.count)
        for index in 0..<count {
            let start = Int(starts[index])
            let other = UnsafeRawBufferPointer(start: text + start, count: Int(ends[index]) - start)
            if bytes.elementsEqual(other) { return false }
        }
        starts[count] = UInt16(name.start)
        ends[count] = UInt16(name.end)
        count += 1
        return true
    }
}
