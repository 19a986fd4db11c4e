// A strict RFC 8259 reader on bytes: valid UTF-8 only, no duplicate member, no lone surrogate, nothing after the value,
// at most `maximumDepth` levels. Recursion is bounded by that depth, work by the body's limit.

struct JSONParser {
    static let maximumDepth = 16

    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    /// The value that `bytes` holds, whole.
    static func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes: bytes)
        parser.skipBlanks()
        let value = try parser.value(depth: 0)
        parser.skipBlanks()
        guard parser.index == bytes.count else { throw parser.error("something follows the value") }
        return value
    }

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private func error(_ reason: String) -> JSONError { JSONError(offset: index, reason: reason) }

    private mutating func skipBlanks() {
        while let byte = next, byte == .space || byte == .tab || byte == .lineFeed || byte == .carriageReturn {
            index += 1
        }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard let byte = next else { throw error("the text ends where a value was expected") }
        guard depth < JSONParser.maximumDepth else { throw error("more than \(JSONParser.maximumDepth) levels") }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let end = index + text.utf8CodeUnitCount
        guard end <= bytes.count, bytes.slice(index..<end).equals(text) else { throw error("not a JSON value") }
        index = end
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        index += 1
        var members: [JSONMember] = []
        var names: Set<String> = []
        skipBlanks()
        if next == UInt8(ascii: "}") {
            index += 1
            return .object([])
        }
        while true {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw error("expected a member's name") }
            let name = try string()
            guard names.insert(name).inserted else { throw error("a member appears twice") }
            skipBlanks()
            guard next == .colon else { throw error("expected a colon") }
            index += 1
            skipBlanks()
            members.append(JSONMember(name, try value(depth: depth + 1)))
            if try isLast(closing: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        index += 1
        var elements: [JSONValue] = []
        skipBlanks()
        if next == UInt8(ascii: "]") {
            index += 1
            return .array([])
        }
        while true {
            skipBlanks()
            elements.append(try value(depth: depth + 1))
            if try isLast(closing: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    private mutating func isLast(closing: UInt8) throws(JSONError) -> Bool {
        skipBlanks()
        guard let byte = next, byte == closing || byte == UInt8(ascii: ",") else {
            throw error("expected a comma or the end")
        }
        index += 1
        return byte == closing
    }

    private mutating func number() throws(JSONError) -> String {
        let start = index
        if next == UInt8(ascii: "-") { index += 1 }
        let firstDigit = index
        guard try digits() > 0 else { throw error("not a JSON value") }
        if bytes[firstDigit] == UInt8(ascii: "0"), index > firstDigit + 1 { throw error("a number with leading zeros") }
        if next == UInt8(ascii: ".") {
            index += 1
            guard try digits() > 0 else { throw error("a number without digits after its point") }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            index += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
            guard try digits() > 0 else { throw error("a number without digits in its exponent") }
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) -> Int {
        let start = index
        while let byte = next, byte.isDigit { index += 1 }
        guard index - start <= 400 else { throw error("a number with too many digits") }
        return index - start
    }

    private mutating func string() throws(JSONError) -> String {
        index += 1
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                guard let string = String(validating: text, as: UTF8.self) else { throw error("not valid UTF-8") }
                return string
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw error("a control character in a string")
            default:
                text.append(byte)
                index += 1
            }
        }
        throw error("a string without an end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        index += 1
        guard let byte = next else { throw error("a string without an end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(.lineFeed)
        case UInt8(ascii: "r"): text.append(.carriageReturn)
        case UInt8(ascii: "t"): text.append(.tab)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try scalar()).utf8)
        default: throw error("an unknown escape")
        }
    }

    /// The scalar after `\u`, of two escapes where it is a surrogate pair.
    private mutating func scalar() throws(JSONError) -> Character {
        var code = UInt32(try fourDigits())
        if (0xD800..<0xDC00).contains(code) {
            guard next == UInt8(ascii: "\\"), index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "u") else {
                throw error("half of a surrogate pair")
            }
            index += 2
            let low = UInt32(try fourDigits())
            guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair") }
        return Character(scalar)
    }

    private mutating func fourDigits() throws(JSONError) -> UInt16 {
        guard index + 4 <= bytes.count else { throw error("a string without an end") }
        var code: UInt16 = 0
        for _ in 0..<4 {
            guard let value = bytes[index].hexValue else { throw error("an escape without four hexadecimal digits") }
            code = code << 4 | UInt16(value)
            index += 1
        }
        return code
    }
}
