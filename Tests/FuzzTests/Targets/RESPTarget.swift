// Replies as bytes: hiredis' reader as the connections use it. Where the bytes are cut makes no difference, and no
// bytes make it crash or keep more than its bound.

import NIOCore

@testable import CurfewRedis

struct RESPTarget: FuzzTarget {
    private static let mutation = Mutation([
        "\r\n", "\r", "\n", "+", "-", ":", "$", "*", "%", "~", "_\r\n", "#t\r\n", ",1.5\r\n", "(123\r\n",
        "=5\r\ntxt:a\r\n",
        ">1\r\n", "|1\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "*1\r\n", "*1048577\r\n", "*4294967297\r\n",
        "$5\r\nhello\r\n",
        "$9223372036854775807\r\n", ":9223372036854775808\r\n", String(repeating: "*1\r\n", count: 12),
        "-NOSCRIPT x\r\n",
    ])

    func input(_ random: inout Randomness) -> [UInt8] {
        if random.isOne(in: 30) { return random.bytes(upTo: 40) }
        let wire = (0..<1 + random.below(3)).flatMap { _ in Self.bytes(of: value(&random, depth: 0)) }
        return Self.mutation.applied(to: wire, &random)
    }

    private func value(_ random: inout Randomness, depth: Int) -> RedisValue {
        switch random.below(depth > 8 ? 5 : 8) {
        case 0: .null
        case 1: .integer(Int64(truncatingIfNeeded: random.next()) >> Int64(random.below(64)))
        case 2: .bytes(random.bytes(upTo: 12))
        case 3: .status(random.identifier())
        case 4: .error("ERR " + random.identifier())
        default: .array((0..<random.below(4)).map { _ in value(&random, depth: depth + 1) })
        }
    }

    /// The protocol's bytes of a value.
    static func bytes(of value: RedisValue) -> [UInt8] {
        switch value {
        case .null: Array("$-1\r\n".utf8)
        case .integer(let number): Array(":\(number)\r\n".utf8)
        case .bytes(let bytes): Array("$\(bytes.count)\r\n".utf8) + bytes + Array("\r\n".utf8)
        case .status(let text): Array("+\(text)\r\n".utf8)
        case .error(let text): Array("-\(text)\r\n".utf8)
        case .array(let elements): Array("*\(elements.count)\r\n".utf8) + elements.flatMap(bytes(of:))
        }
    }

    private struct Outcome: Equatable {
        var values: [RedisValue] = []
        var error: ReplyError?
    }

    private static func read(_ chunks: [ArraySlice<UInt8>], maximumReplyBytes: Int) -> Outcome {
        var reader = CurfewRedis.ReplyReader(maximumReplyBytes: maximumReplyBytes)
        var outcome = Outcome()
        for chunk in chunks {
            do throws(ReplyError) {
                try reader.read(ByteBuffer(bytes: chunk)) { value in
                    outcome.values.append(value)
                    return true
                }
            } catch {
                outcome.error = error
                return outcome
            }
        }
        return outcome
    }

    /// The values of whole replies.
    static func values(of wire: [UInt8]) -> [RedisValue] { read([wire[...]], maximumReplyBytes: .max).values }

    func check(_ input: [UInt8]) throws {
        let whole = Self.read([input[...]], maximumReplyBytes: .max)
        let bytewise = Self.read(input.indices.map { input[$0...$0] }, maximumReplyBytes: .max)
        try demand(bytewise == whole, "byte by byte: \(bytewise), at once: \(whole)")
        var random = Randomness(of: input)
        let cut = random.below(input.count + 1)
        let halves = Self.read([input[..<cut], input[cut...]], maximumReplyBytes: .max)
        try demand(halves == whole, "cut at \(cut): \(halves), at once: \(whole)")
        for value in whole.values {
            try demand(depth(of: value) <= CurfewRedis.ReplyReader.maximumDepth + 1, "deeper than the bound")
            // hiredis reads integers, sizes and null arrays into fewer kinds than there are spellings.
            try demand(
                Self.read([Self.bytes(of: value)[...]], maximumReplyBytes: .max).error == nil,
                "a value that can't be read")
        }
        let bounded = Self.read(input.indices.map { input[$0...$0] }, maximumReplyBytes: 16)
        if bounded.error == nil, whole.error == nil, whole.values.isEmpty {
            try demand(input.count <= 16, "an unfinished reply of \(input.count) bytes past a bound of 16")
        }
    }

    private func depth(of value: RedisValue) -> Int {
        guard case .array(let elements) = value else { return 0 }
        return 1 + (elements.map(depth).max() ?? 0)
    }
}
