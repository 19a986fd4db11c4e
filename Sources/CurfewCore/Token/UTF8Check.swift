// Whether bytes are UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF. Tokens
// that are ASCII, as nearly all are, never come here.

enum UTF8Check {
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        while at < bytes.count {
            guard let length = sequenceLength(bytes, at) else { return false }
            at += length
        }
        return true
    }

    /// The length of the sequence that starts at `at`; `nil` where none does. RFC 3629 section 4, row by row.
    private static func sequenceLength(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int? {
        let length: Int
        let second: ClosedRange<UInt8>
        switch bytes[at] {
        case 0x00...0x7f: return 1
        case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xe1...0xec, 0xee...0xef: (length, second) = (3, 0x80...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        default: return nil
        }
        guard at + length <= bytes.count, second.contains(bytes[at + 1]),
            bytes[(at + 2)..<(at + max(length, 2))].allSatisfy({ $0 & 0xc0 == 0x80 })
        else { return nil }
        return length
    }
}
