// Session ids: `ses_`, two base62 digits for the partition, 22 for 128 bits. The text is canonical: one length, one alphabet,
// one spelling an id, so that comparing texts and comparing ids is the same.
//
// 96 of the bits are random and stay for as long as the login does; the 32 between them count how often it was given another id. So
// an id alone says which others are of the same login, whatever Redis has lost (docs/adr/0012-one-family-of-ids-a-login.md).

/// A session's id: an id alone says its partition.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// The partition of the session's user.
    public let partition: Partition
    /// 64 random bits.
    public let high: UInt64
    /// The rotation in 32 bits, then 32 random ones.
    public let low: UInt64

    /// The length of an id's text in bytes.
    public static let byteCount = 28

    /// The id with these bits. Whoever issues draws both halves from the system's generator, and takes its `family`.
    public init(partition: Partition, high: UInt64, low: UInt64) {
        self.partition = partition
        self.high = high
        self.low = low
    }

    /// Reads an id's text; `nil` for anything but its one canonical spelling.
    public init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let id = text.withUTF8({ SessionID(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = id
    }

    /// Reads an id's text from its bytes without allocating; `nil` for anything but the canonical spelling.
    public init?(utf8: UnsafeRawBufferPointer) {
        guard utf8.count == Self.byteCount, let base = utf8.baseAddress,
            base.loadUnaligned(as: UInt32.self) == Self.prefix.littleEndian
        else { return nil }
        let digits = base + 4
        guard let first = Base62.eightDigits(digits), let second = Base62.eightDigits(digits + 8),
            let third = Base62.eightDigits(digits + 16)
        else { return nil }
        let (index, top) = first.quotientAndRemainder(dividingBy: Base62.power6)
        guard index < PartitionCount.maximum else { return nil }
        let upper = UInt128(top) * UInt128(Base62.power8) + UInt128(second)
        let (product, overflowed) = upper.multipliedReportingOverflow(by: UInt128(Base62.power8))
        let (bits, carried) = product.addingReportingOverflow(UInt128(third))
        guard !overflowed, !carried else { return nil }
        self.init(
            partition: Partition(UInt16(index)), high: UInt64(truncatingIfNeeded: bits >> 64),
            low: UInt64(truncatingIfNeeded: bits))
    }

    /// How many ids the login had before this one: 0 at issue.
    public var rotation: UInt32 { UInt32(low >> 32) }

    /// The login's first id, by which everything is kept that is about all of its ids.
    public var family: SessionID { rotated(to: 0) }

    /// The id of the same login with this number.
    public func rotated(to rotation: UInt32) -> SessionID {
        SessionID(partition: partition, high: high, low: UInt64(rotation) << 32 | low & 0xffff_ffff)
    }

    /// The text that `init(_:)` reads.
    public var description: String {
        String(unsafeUninitializedCapacity: Self.byteCount) { bytes in
            write(into: UnsafeMutableRawBufferPointer(bytes))
            return Self.byteCount
        }
    }

    /// Writes the text's 28 bytes at the start of `target`.
    public func write(into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= Self.byteCount)
        target.storeBytes(of: Self.prefix.littleEndian, as: UInt32.self)
        let bits = UInt128(high) << 64 | UInt128(low)
        let (upper, third) = bits.quotientAndRemainder(dividingBy: UInt128(Base62.power8))
        let (top, second) = upper.quotientAndRemainder(dividingBy: UInt128(Base62.power8))
        Base62.write(UInt64(partition.index) * Base62.power6 + UInt64(top), into: target, at: 4)
        Base62.write(UInt64(second), into: target, at: 12)
        Base62.write(UInt64(third), into: target, at: 20)
    }

    /// `ses_` as a little-endian word.
    private static let prefix: UInt32 = 0x5f73_6573
}

/// Numbers in the digits 0–9, A–Z, a–z, the most significant first, eight at a time.
enum Base62 {
    static let power6: UInt64 = 56_800_235_584
    static let power8: UInt64 = 218_340_105_584_896

    /// The number that eight digits say; `nil` where one of them is no digit. Without a branch for each digit: they are
    /// random, so the processor would guess wrong every other time.
    static func eightDigits(_ digits: UnsafeRawPointer) -> UInt64? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let bytes = digits.loadUnaligned(as: UInt64.self).littleEndian
        guard bytes & (ones &* 0x80) == 0 else { return nil }
        /// 1 in each byte that is at least `least`.
        func reaches(_ least: UInt8) -> UInt64 { (bytes &+ ones &* UInt64(0x80 - least)) >> 7 & ones }
        let (upper, lower) = (reaches(65), reaches(97))
        let digit = (reaches(48) ^ reaches(58)) | (upper ^ reaches(91)) | (lower ^ reaches(123))
        guard digit == ones else { return nil }
        // The first digit is in the lowest byte. Neighbours join to pairs, pairs to fours, fours to the whole.
        let values = bytes &- ones &* 48 &- upper &* 7 &- lower &* 6
        let pairs = (values & 0x00ff_00ff_00ff_00ff) &* 62 &+ (values >> 8 & 0x00ff_00ff_00ff_00ff)
        let fours = (pairs & 0x0000_ffff_0000_ffff) &* 3_844 &+ (pairs >> 16 & 0x0000_ffff_0000_ffff)
        return (fours & 0xffff_ffff) &* 14_776_336 &+ fours >> 32
    }

    static func write(_ value: UInt64, into target: UnsafeMutableRawBufferPointer, at start: Int) {
        var rest = value
        for offset in (0..<8).reversed() {
            let digit = UInt8(rest % 62)
            target[start + offset] = digit < 10 ? 48 + digit : digit < 36 ? 55 + digit : 61 + digit
            rest /= 62
        }
        assert(rest == 0)
    }
}
