// Reads a JSON object field by field and keeps account of which were asked for, so that what nobody asked for is refused
// by name. Each problem says where and what was expected, and never repeats a value.

struct BodyReader {
    private let members: [JSONMember]
    private let path: String
    private var known: Set<String> = []

    /// The object that a body holds.
    init(_ body: [UInt8]) throws(Problem) {
        let value: JSONValue
        do throws(JSONError) {
            value = try BodyReader.parse(body)
        } catch {
            throw .malformed("the body is not JSON: \(error.reason), at byte \(error.offset)")
        }
        try self.init(value, path: "")
    }

    private init(_ value: JSONValue, path: String) throws(Problem) {
        guard case .object(let members) = value else {
            let place = path.isEmpty ? "the body" : path
            throw .malformed("\(place): expected an object, found \(value.kind)")
        }
        self.members = members
        self.path = path
    }

    private static func parse(_ body: [UInt8]) throws(JSONError) -> JSONValue {
        let result: Result<JSONValue, JSONError> = body.withUnsafeBytes { bytes in
            do throws(JSONError) { return .success(try JSONParser.parse(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    func name(_ field: String) -> String { path.isEmpty ? field : "\(path).\(field)" }

    /// `nil` where it is absent or null.
    private mutating func value(_ field: String) -> JSONValue? {
        known.insert(field)
        guard let value = members.first(where: { $0.name == field })?.value, value != .null else { return nil }
        return value
    }

    /// Whatever stands there, null too; `nil` where it is absent.
    mutating func given(_ field: String) -> JSONValue? {
        known.insert(field)
        return members.first { $0.name == field }?.value
    }

    private func wrongType(_ field: String, expected: String, found: JSONValue) -> Problem {
        .malformed("\(name(field)): expected \(expected), found \(found.kind)")
    }

    mutating func string(_ field: String) throws(Problem) -> String? {
        guard let value = value(field) else { return nil }
        guard case .string(let text) = value else { throw wrongType(field, expected: "a string", found: value) }
        return text
    }

    /// Text for people: at most so many bytes, no control characters.
    mutating func text(_ field: String, maximumBytes: Int) throws(Problem) -> String? {
        guard let text = try string(field) else { return nil }
        guard text.utf8.count <= maximumBytes, text.unicodeScalars.allSatisfy({ !$0.isControl }) else {
            throw .outOfRange("\(name(field)): expected at most \(maximumBytes) bytes without control characters")
        }
        return text
    }

    /// One of the words of an enumeration.
    mutating func word<Word: RawRepresentable & CaseIterable>(_ field: String, _: Word.Type) throws(Problem) -> Word?
    where Word.RawValue == String {
        guard let text = try string(field) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw .outOfRange(
                "\(name(field)): expected one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }

    /// An identifier, made by `make` of its text.
    mutating func identifier<ID>(_ field: String, _ make: (String) -> ID?) throws(Problem) -> ID? {
        guard let text = try string(field) else { return nil }
        guard let id = make(text) else {
            throw .outOfRange("\(name(field)): expected 1 to 128 bytes without control characters")
        }
        return id
    }

    mutating func strings(_ field: String, maximumCount: Int) throws(Problem) -> [String]? {
        guard let value = value(field) else { return nil }
        guard case .array(let elements) = value else {
            throw wrongType(field, expected: "an array of strings", found: value)
        }
        guard elements.count <= maximumCount else {
            throw .outOfRange("\(name(field)): expected at most \(maximumCount) elements")
        }
        var strings: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                throw wrongType("\(field)[\(index)]", expected: "a string", found: element)
            }
            strings.append(text)
        }
        return strings
    }

    mutating func integer(_ field: String, in range: ClosedRange<Int64>) throws(Problem) -> Int64? {
        guard let value = value(field) else { return nil }
        guard case .number(let text) = value else { throw wrongType(field, expected: "a number", found: value) }
        guard let number = Int64(text), range.contains(number) else {
            throw .outOfRange("\(name(field)): expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func flag(_ field: String) throws(Problem) -> Bool? {
        guard let value = value(field) else { return nil }
        guard case .bool(let flag) = value else { throw wrongType(field, expected: "true or false", found: value) }
        return flag
    }

    mutating func object(_ field: String) throws(Problem) -> BodyReader? {
        guard let value = value(field) else { return nil }
        return try BodyReader(value, path: name(field))
    }

    /// An object's own text, compact.
    mutating func objectText(_ field: String, maximumBytes: Int) throws(Problem) -> String? {
        guard let value = value(field) else { return nil }
        guard case .object = value else { throw wrongType(field, expected: "an object", found: value) }
        var writer = JSONWriter()
        writer.value(value)
        guard writer.bytes.count <= maximumBytes else {
            throw .outOfRange("\(name(field)): expected at most \(maximumBytes) bytes of JSON")
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Refuses what nobody asked for.
    func finish() throws(Problem) {
        if let stranger = members.first(where: { !known.contains($0.name) }) {
            throw .unknownField(BodyReader.describe(stranger.name, in: path))
        }
    }

    private static func describe(_ field: String, in path: String) -> String {
        let place = path.isEmpty ? "the body" : path
        guard field.isPlainName else { return "an unknown field in \(place)" }
        return "\(path.isEmpty ? "" : "\(path).")\(field) is not a field of this call"
    }
}

extension String {
    /// Short and plain enough to be repeated in an answer: letters only, as names have. No token, key or secret is.
    var isPlainName: Bool {
        (1...24).contains(utf8.count) && utf8.allSatisfy { (0x41...0x5A).contains($0 & 0xDF) }
    }
}

extension Unicode.Scalar {
    /// C0, DEL and C1.
    var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) }
}
