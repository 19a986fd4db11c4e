// Bodies: any bytes give a value or an error; what was read and written again reads the same; the platform's own JSON
// reader takes what ours takes; and no problem repeats what stood in the body.

import Foundation

@testable import CurfewNode

struct JSONTarget: FuzzTarget {
    /// Stands for a value that must not be echoed.
    private static let marker = "7f3c-marker"
    private static let mutation = Mutation([
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u00e9", "\\ud83d\\ude00", "\\udc00", "\u{0}", " ", "null", "true",
        "-",
        "0", "1e400", ".5", "\"userId\":1,", String(repeating: "[", count: 20), "é", "\u{FEFF}",
    ])
    private static let names = [
        "userId", "kind", "permissions", "timeoutMs", "wait", "device", "x", "reason", "\u{212A}ind",
    ]

    func input(_ random: inout Randomness) -> [UInt8] {
        if random.isOne(in: 20) { return random.bytes(upTo: 60) }
        return Self.mutation.applied(to: Array(object(&random, depth: 0).utf8), &random)
    }

    private func object(_ random: inout Randomness, depth: Int) -> String {
        let members = (0..<random.below(5)).map { _ in
            "\(TokenTarget.quoted(random.pick(Self.names))):\(value(&random, depth: depth + 1))"
        }
        return "{" + members.joined(separator: random.pick([",", " , "])) + "}"
    }

    private func value(_ random: inout Randomness, depth: Int) -> String {
        switch random.below(depth > 3 ? 5 : 7) {
        case 0: random.number()
        case 1: TokenTarget.quoted(random.word())
        case 2: random.pick(["true", "false", "null"])
        case 3, 4: "\"\(Self.marker)\""
        case 5: object(&random, depth: depth)
        default: "[" + (0..<random.below(4)).map { _ in value(&random, depth: depth + 1) }.joined(separator: ",") + "]"
        }
    }

    func check(_ input: [UInt8]) throws {
        let value: JSONValue
        do {
            value = try parse(input)
        } catch {
            return try ask(input)
        }
        var writer = JSONWriter()
        writer.value(value)
        let again = try parse(writer.bytes)
        try demand(again == value, "written and read again, it is another value")
        // Numbers past what a double holds are no number there.
        let hasPlainNumbers = !input.contains { $0 | 0x20 == UInt8(ascii: "e") } && !hasLongNumber(input)
        if hasPlainNumbers {
            let foreign = try? JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)
            try demand(foreign != nil, "another reader does not take it")
        }
        try ask(input)
    }

    private func parse(_ bytes: [UInt8]) throws -> JSONValue { try bytes.withUnsafeBytes { try JSONParser.parse($0) } }

    private func hasLongNumber(_ bytes: [UInt8]) -> Bool {
        bytes.split { !$0.isDigit }.contains { $0.count > 15 }
    }

    private enum Word: String, CaseIterable { case web, api }

    /// Every question that calls put to a body.
    private func ask(_ input: [UInt8]) throws {
        var problems: [Problem] = []
        func attempt(_ question: (inout BodyReader) throws(Problem) -> Void) {
            do throws(Problem) {
                var reader = try BodyReader(input)
                try question(&reader)
            } catch {
                problems.append(error)
            }
        }
        for name in Self.names {
            attempt { reader throws(Problem) in _ = try reader.text(name, maximumBytes: 64) }
            attempt { reader throws(Problem) in _ = try reader.word(name, Word.self) }
            attempt { reader throws(Problem) in _ = try reader.strings(name, maximumCount: 2) }
            attempt { reader throws(Problem) in _ = try reader.integer(name, in: 0...100) }
            attempt { reader throws(Problem) in _ = try reader.flag(name) }
            attempt { reader throws(Problem) in _ = try reader.objectText(name, maximumBytes: 64) }
            attempt { reader throws(Problem) in try reader.object(name)?.finish() }
        }
        attempt { reader throws(Problem) in try reader.finish() }
        for problem in problems {
            try demand(!problem.detail.contains(Self.marker), "a problem repeats a value: \(problem.detail)")
        }
    }
}
