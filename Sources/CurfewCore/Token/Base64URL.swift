// base64url without padding (RFC 4648 section 5, RFC 7515 appendix C), in its canonical form only: no other
// alphabet, no padding, no bits left over in the last digit. Otherwise one token would have many spellings.

enum Base64URL {
    /// How many bytes `decode` may write past what it returns.
    static let slack = 4

    /// How many digits `count` bytes have.
    static func encodedCount(_ count: Int) -> Int { (count * 4 + 2) / 3 }

    /// Decodes `source` to `target`, which has room for 3/4 of it and for `slack` bytes more. Returns how many bytes
    /// that gave; `nil` where the text is not canonical base64url.
    static func decode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawPointer) -> Int? {
        guard let start = source.baseAddress else { return 0 }
        return tables.withUnsafeBufferPointer { tables -> Int? in
            guard let first = tables.baseAddress else { return nil }
            let (second, third, fourth) = (first + 256, first + 512, first + 768)
            let whole = source.count & ~3
            var read = 0
            var written = 0
            var seen: UInt32 = 0
            while read < whole {
                let digits = start.loadUnaligned(fromByteOffset: read, as: UInt32.self).littleEndian
                let word =
                    first[Int(digits & 0xff)] | second[Int(digits >> 8 & 0xff)]
                    | third[Int(digits >> 16 & 0xff)] | fourth[Int(digits >> 24)]
                target.storeBytes(of: word.littleEndian, toByteOffset: written, as: UInt32.self)
                seen |= word
                read += 4
                written += 3
            }
            var tail: UInt32 = 0
            switch source.count - whole {
            case 0: break
            case 2: tail = first[Int(start[whole])] | second[Int(start[whole + 1])]
            case 3: tail = first[Int(start[whole])] | second[Int(start[whole + 1])] | third[Int(start[whole + 2])]
            default: return nil
            }
            let tailCount = max(source.count - whole - 1, 0)
            target.storeBytes(of: tail.littleEndian, toByteOffset: written, as: UInt32.self)
            // What a short last group has beyond its whole bytes must be zero.
            guard (seen | tail) & notADigit == 0, tail >> (8 * UInt32(tailCount)) == 0 else { return nil }
            return written + tailCount
        }
    }

    /// Appends the digits of `bytes`.
    static func encode(_ bytes: some Collection<UInt8>, to text: inout [UInt8]) {
        var bits: UInt32 = 0
        var bitCount = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                text.append(alphabet[Int(bits >> UInt32(bitCount) & 63)])
            }
        }
        if bitCount > 0 { text.append(alphabet[Int(bits << UInt32(6 - bitCount) & 63)]) }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Marks a byte that is no digit; above the three bytes that four digits give.
    private static let notADigit: UInt32 = 0x8000_0000

    /// For each of a group's four places, what a byte there adds to the group's three bytes (the first byte lowest):
    /// a group is four loads and three ors.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: notADigit, count: 4 * 256)
        for (value, digit) in alphabet.enumerated() {
            for place in 0..<4 {
                let bigEndian = UInt32(value) << UInt32(8 + 6 * (3 - place))
                tables[place * 256 + Int(digit)] = bigEndian.byteSwapped
            }
        }
        return tables
    }()
}

