// A string as Redis has it: any bytes, ordered by their values. Swift's String would take two spellings of one text for
// the same key.

import Glibc

/// Bytes that name or are something in the simulated Redis.
package struct Bytes: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
    package var array: [UInt8]

    package init(_ array: [UInt8]) { self.array = array }
    package init(_ text: String) { array = Array(text.utf8) }
    package init(stringLiteral text: String) { self.init(text) }

    package var text: String { String(decoding: array, as: UTF8.self) }
    package var count: Int { array.count }

    package static func == (left: Bytes, right: Bytes) -> Bool {
        left.array.count == right.array.count && left.order(against: right) == 0
    }

    package static func < (left: Bytes, right: Bytes) -> Bool {
        let order = left.order(against: right)
        return order < 0 || (order == 0 && left.array.count < right.array.count)
    }

    package func hash(into hasher: inout Hasher) {
        array.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    /// Of what both have: as memcmp says it.
    private func order(against other: Bytes) -> Int32 {
        array.withUnsafeBytes { left in
            other.array.withUnsafeBytes { right in
                guard let first = left.baseAddress, let second = right.baseAddress else { return 0 }
                return memcmp(first, second, min(left.count, right.count))
            }
        }
    }

    /// In lower case, as names of commands and options are compared.
    var lowercased: Bytes {
        Bytes(array.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 })
    }
}
