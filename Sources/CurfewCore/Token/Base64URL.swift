// base64url without padding (RFC 4648 section 5, RFC 7515 appendix C), in its canonical form only: no other
// alphabet, no padding, no bits left over in the last digit. Otherwise one token would have many spellings.

enum Base64URL {
    /// How many bytes `decode` may write past what it returns.
    static let slack = 4

    /// How many digits `count` bytes have.
    static func encodedCount(_ count: Int) -> Int { (count * 4 + 2) / 3 }

    /// Decodes `source` to `target`, which has room for 3/4 of it and for `slack` bytes more. Returns how many bytes
    /// that gave and whether all are ASCII; `nil` where the text is not canonical base64url.
    static func decode(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawPointer
    ) -> (count: Int, isASCII: Bool)? {
        guard let start = source.baseAddress else { return (0, true) }
        return tables.withUnsafeBufferPointer { tables -> (count: Int, isASCII: Bool)? in
            guard let table = tables.baseAddress else { return nil }
            var (read, written) = (0, 0)
            var seen: UInt32 = 0
            while read + 8 <= source.count {
                let digits = start.loadUnaligned(fromByteOffset: read, as: UInt64.self).littleEndian
                let (first, second) = (group(digits, table), group(digits >> 32, table))
                let bytes = UInt64(first) | UInt64(second) << 24
                target.storeBytes(of: bytes.littleEndian, toByteOffset: written, as: UInt64.self)
                seen |= first | second
                read += 8
                written += 6
            }
            while read < source.count {
                let count = min(source.count - read, 4)
                var last: UInt32 = 0
                for place in 0..<count { last |= table[place * 256 + Int(start[read + place])] }
                target.storeBytes(of: last.littleEndian, toByteOffset: written, as: UInt32.self)
                // A group has one byte less than digits, and what it has beyond its whole bytes must be zero.
                guard count > 1, (last & ~notADigit) >> (8 * UInt32(count - 1)) == 0 else { return nil }
                seen |= last
                read += count
                written += count - 1
            }
            return seen & notADigit == 0 ? (written, seen & 0x80_8080 == 0) : nil
        }
    }

    /// The three bytes of four digits, which are the low half of `digits`.
    @inline(__always)
    private static func group(_ digits: UInt64, _ table: UnsafePointer<UInt32>) -> UInt32 {
        table[Int(digits & 0xff)] | table[256 + Int(digits >> 8 & 0xff)] | table[512 + Int(digits >> 16 & 0xff)]
            | table[768 + Int(digits >> 24 & 0xff)]
    }

    /// The digits as text.
    static func text(_ bytes: some Collection<UInt8>) -> String {
        var digits: [UInt8] = []
        encode(bytes, to: &digits)
        return String(decoding: digits, as: UTF8.self)
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
