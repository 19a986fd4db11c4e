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
    /// Reads the whole text as one object. `member` is called with the cursor at each value and must tell names of its
    /// own apart. `false` for anything that is not one object, for a name with an escape, and for a name twice.
    @inline(__always)
    mutating func readObject(_ member: (inout JSONCursor, Text) -> MemberOutcome) -> Bool {
        var names = UnknownNames()
        skipSpace()
        guard take(UInt8(ascii: "{")) else { return false }
        skipSpace()
        if take(UInt8(ascii: "}")) { return isAtEnd() }
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

    /// Writes the characters that `string` stands for to `target`, which may be the same place or an earlier one.
    /// Returns how many bytes that gave; never more than the text has.
    func unescape(_ string: Text, into target: UnsafeMutableRawPointer) -> Int {
        var read = string.start
        var written = 0
        func next() -> UInt8 {
            defer { read += 1 }
            return text.load(fromByteOffset: read, as: UInt8.self)
        }
        func unit() -> UInt32 {
            (0..<4).reduce(0) { value, _ in
                let digit = next()
                return value << 4 | UInt32(digit < 58 ? digit - 48 : (digit | 0x20) - 87)
            }
        }
        func put(_ byte: UInt8) {
            target.storeBytes(of: byte, toByteOffset: written, as: UInt8.self)
            written += 1
        }
        while read < string.end {
            let byte = next()
            guard byte == UInt8(ascii: "\\") else {
                put(byte)
                continue
            }
            switch next() {
            case UInt8(ascii: "b"): put(0x08)
            case UInt8(ascii: "f"): put(0x0c)
            case UInt8(ascii: "n"): put(0x0a)
            case UInt8(ascii: "r"): put(0x0d)
            case UInt8(ascii: "t"): put(0x09)
            case UInt8(ascii: "u"):
                var value = unit()
                if value & 0xfc00 == 0xd800 {
                    read += 2
                    value = 0x10000 + (value & 0x3ff) << 10 + unit() & 0x3ff
                }
                guard let scalar = Unicode.Scalar(value), let utf8 = Unicode.UTF8.encode(scalar) else { break }
                utf8.forEach(put)
            case let plain: put(plain)
            }
        }
        return written
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
