// The character classes of RFC 9110 and 9112, and comparisons on raw bytes. Everything here works in place: nothing
// allocates, nothing decodes text.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension UInt8 {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let colon = UInt8(ascii: ":")

    var isDigit: Bool { self >= 48 && self <= 57 }
    var isLetter: Bool { (self | 0x20) >= 97 && (self | 0x20) <= 122 }
    var isBlank: Bool { self == .space || self == .tab }

    /// `tchar` of RFC 9110 section 5.6.2: what methods and field names are made of.
    var isTokenCharacter: Bool {
        if isLetter || isDigit { return true }
        switch self {
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            return true
        default: return false
        }
    }

    /// What a path and a query may hold (RFC 3986), with `%` left to whoever decodes it.
    var isTargetCharacter: Bool {
        if isLetter || isDigit { return true }
        switch self {
        case UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"),
            UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"):
            return false
        default: return self > 0x20 && self < 0x7F
        }
    }

    /// What an authority may hold: a name or address, a port, no user information. (Nor a comma: that is several, joined by somebody.)
    var isHostCharacter: Bool {
        if isLetter || isDigit { return true }
        switch self {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"), UInt8(ascii: "!"), UInt8(ascii: "$"),
            UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"),
            UInt8(ascii: "+"), UInt8(ascii: ";"), UInt8(ascii: "="):
            return true
        default: return false
        }
    }

    /// The value of a hexadecimal digit.
    var hexValue: UInt8? {
        if isDigit { return self - 48 }
        let lower = self | 0x20
        return lower >= 97 && lower <= 102 ? lower - 87 : nil
    }
}

extension UnsafeRawBufferPointer {
    /// A name or an address (an IPv6 one in brackets), and a port where it is said (RFC 3986, section 3.2).
    var isAuthority: Bool {
        guard let first, allSatisfy(\.isHostCharacter) else { return false }
        var rest = self[...]
        if first == UInt8(ascii: "[") {
            guard let end = firstIndex(of: UInt8(ascii: "]")) else { return false }
            rest = self[(end + 1)...]
        } else {
            rest = drop { $0 != UInt8(ascii: ":") }
            guard rest.startIndex > startIndex else { return false }
        }
        guard rest.isEmpty || rest.first == UInt8(ascii: ":") else { return false }
        let port = rest.dropFirst()
        guard port.count <= 5, port.allSatisfy(\.isDigit) else { return false }
        return port.reduce(0) { 10 * $0 + Int($1 - UInt8(ascii: "0")) } <= 65_535
    }

    /// As the library's, by the fastest way that the machine has.
    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        guard let baseAddress, let found = memchr(baseAddress + range.lowerBound, Int32(byte), range.count) else {
            return nil
        }
        return UnsafeRawPointer(found) - baseAddress
    }

    /// Byte for byte.
    func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && baseAddress.map { memcmp($0, text.utf8Start, count) == 0 } ?? true
    }

    /// Without regard to case in ASCII; `text` is lower case.
    func equalsIgnoringCase(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && hasPrefixIgnoringCase(text)
    }

    /// Without regard to case in ASCII; `text` is lower case.
    func hasPrefixIgnoringCase(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount {
            let byte = self[index]
            let lower = byte >= 65 && byte <= 90 ? byte | 0x20 : byte
            if lower != text.utf8Start[index] { return false }
        }
        return true
    }

    /// Without regard to case in ASCII.
    func equalsIgnoringCase(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count {
            let left = self[index]
            let right = other[index]
            if left != right && !(left.isLetter && left ^ right == 0x20) { return false }
        }
        return true
    }

    /// No control character, no DEL; tabs are fine. Eight bytes at a time, since field values are most of a head.
    var isFieldValue: Bool {
        let low: UInt64 = 0x0101_0101_0101_0101
        let high: UInt64 = 0x8080_8080_8080_8080
        var index = 0
        while index + 8 <= count {
            let word = loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let deleted = word ^ (low &* 0x7F)
            let isBelowSpace = (word &- (low &* 0x20)) & ~word & high
            let isDelete = (deleted &- low) & ~deleted & high
            if isBelowSpace | isDelete != 0 {
                for offset in index..<(index + 8) where !self[offset].isFieldByte { return false }
            }
            index += 8
        }
        while index < count {
            if !self[index].isFieldByte { return false }
            index += 1
        }
        return true
    }

    /// The same bytes without spaces and tabs at either end, as a range of this buffer.
    var trimmedBlanks: Range<Int> {
        var start = 0
        var end = count
        while start < end, self[start].isBlank { start += 1 }
        while end > start, self[end - 1].isBlank { end -= 1 }
        return start..<end
    }

    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self[range]) }
}

extension UInt8 {
    fileprivate var isFieldByte: Bool { (self >= 0x20 && self != 0x7F) || self == .tab }
}
