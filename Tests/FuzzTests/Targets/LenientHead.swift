// What a careless reader would see in a request head: line ends of any kind, names with blanks or other bytes in them,
// the framing fields wherever they may be hiding. A head that the strict scanner takes must say the same to both, or a
// proxy in front and this server could disagree about where the request ends (RFC 9112 section 11.2).

@testable import CurfewNode

struct LenientHead {
    private let lines: [[UInt8]]
    private var lengths: [[UInt8]] = []
    private var encodings: [[UInt8]] = []

    /// A carriage return or a line feed without the other, or a NUL.
    private let hasLoneLineEnd: Bool

    init(_ head: [UInt8]) {
        let returns = head.indices.filter { head[$0] == 0x0d }
        let feeds = head.indices.filter { head[$0] == 0x0a }
        hasLoneLineEnd = returns.map { $0 + 1 } != feeds || head.contains(0)
        lines = head.split { $0 == 0x0a || $0 == 0x0d || $0 == 0 }.map { Array($0) }
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let letters = line[..<colon].filter { $0 > 0x20 && $0 < 0x7f }
            let name = String(decoding: letters, as: UTF8.self).lowercased()
            // Blanks behind a value are none of it (RFC 9110 section 5.5); other controls are.
            var value = line[(colon + 1)...].drop { $0 <= 0x20 }
            while let last = value.last, last == 0x20 || last == 0x09 { value.removeLast() }
            if name == "content-length" { lengths.append(Array(value)) }
            if name == "transfer-encoding" { encodings.append(Array(value)) }
        }
    }

    /// Throws where the scanner saw another request than this.
    func demandAgreement(with head: RequestHead) throws {
        switch head.body {
        case .none:
            try demand(encodings.isEmpty, "Transfer-Encoding, yet no body")
            try demand(lengths.allSatisfy { number($0) == 0 }, "Content-Length, yet no body")
        case .length(let length):
            try demand(encodings.isEmpty, "Transfer-Encoding beside a length")
            try demand(lengths.map(number) == [length], "a length of \(length) that others read as \(lengths)")
        case .chunked:
            try demand(lengths.isEmpty && encodings.count == 1, "chunked, beside another framing")
            try demand(String(decoding: encodings.joined(), as: UTF8.self).lowercased() == "chunked", "another coding")
        }
        try demand(!hasLoneLineEnd, "a line's end that only some readers see")
    }

    /// Plain digits; `nil` for anything that two readers may take for two numbers.
    private func number(_ value: [UInt8]) -> Int? {
        let text = String(decoding: value, as: UTF8.self)
        guard value.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x20 || $0 == 0x09 }) else { return nil }
        return Int(text.filter(\.isNumber))
    }
}
