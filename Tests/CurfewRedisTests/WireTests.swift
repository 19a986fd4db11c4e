// hiredis' reader and formatter as they are used here: any split of the bytes, any bytes, every bound.

import NIOCore
import TestSupport
import Testing

@testable import CurfewRedis

@Suite struct WireTests {
    /// All replies in the chunks, and the error if one came.
    static func read(_ chunks: [[UInt8]], limit: Int = 1024) -> (values: [RedisValue], error: String?) {
        var reader = ReplyReader(maximumReplyBytes: limit)
        var values: [RedisValue] = []
        do throws(ReplyError) {
            for chunk in chunks {
                try reader.read(ByteBuffer(bytes: chunk)) { value in
                    values.append(value)
                    return true
                }
            }
            return (values, nil)
        } catch {
            return (values, error.reason)
        }
    }

    static let wire =
        "+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n$0\r\n\r\n*1\r\n:1\r\n-X\r\n$2\r\nzz\r\n"
    static let values: [RedisValue] = [
        .status("OK"), .error("ERR no"), .integer(-7), .bytes([97, 13, 10]), .null, .null, .array([]),
        .array([.bytes([]), .array([.integer(1)]), .error("X")]), .bytes([122, 122]),
    ]

    @Test("replies are the same however the bytes are cut")
    func chunks() {
        for seed in 0..<100 { chunks(seed: seed) }
    }

    private func chunks(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var rest = Array(Self.wire.utf8)[...]
        var chunks: [[UInt8]] = []
        while !rest.isEmpty {
            let count = min(seed == 0 ? 1 : Int(random.next() % 9) + 1, rest.count)
            chunks.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(Self.read(chunks) == (Self.values, nil), "seed \(seed)")
    }

    static let junk = [
        "hello\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{0}\u{1}\u{2}\r\n", "*x\r\n", "$abc\r\n", "*-2\r\n",
        "$-2\r\n",
        "*99999999999999999999\r\n", "$99999999999999999999\r\n", "*1048577\r\n",
        String(repeating: "*1\r\n", count: 20) + ":1\r\n", String(repeating: "*1\r\n", count: 200_000),
    ]

    @Test("bytes that are not Redis' protocol are an error, not a crash", arguments: junk)
    func refuses(_ text: String) {
        let (values, error) = Self.read([Array((":1\r\n" + text).utf8)], limit: 1 << 20)
        #expect(values == [.integer(1)])
        #expect(error != nil)
    }

    @Test("arrays in arrays are read up to a depth")
    func depth() {
        func nested(_ count: Int) -> [UInt8] { Array((String(repeating: "*1\r\n", count: count) + ":7\r\n").utf8) }
        var expected = RedisValue.integer(7)
        for _ in 0..<7 { expected = .array([expected]) }
        #expect(Self.read([nested(7)]) == ([expected], nil))
        #expect(Self.read([nested(9)]).error != nil)
    }

    @Test("an unfinished reply past the bound is an error, in one string or in many")
    func bounds() {
        let long = Array("$5000\r\n".utf8) + [UInt8](repeating: 120, count: 2000)
        #expect(Self.read([long]).error == "a reply of more than 1024 bytes")
        let many = Array("*5000\r\n".utf8) + Array(String(repeating: ":1\r\n", count: 600).utf8)
        #expect(Self.read([many]).error == "a reply of more than 1024 bytes")
        let fine = Array(String(repeating: ":1\r\n", count: 600).utf8)
        #expect(Self.read([fine]).values.count == 600)
        #expect(Self.read([fine]).error == nil)
    }

    @Test("no random bytes do more than end in an error")
    func fuzz() {
        var random = SeededGenerator(seed: 1)
        let alphabet = Array("*$+-:0123456789\r\n_,#(=%~>|ab".utf8)
        for _ in 0..<1000 {
            let bytes = (0..<400).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
            _ = Self.read([bytes])
            var damaged = Array(Self.wire.utf8)
            damaged[Int(random.next() % UInt64(damaged.count))] = UInt8(truncatingIfNeeded: random.next())
            _ = Self.read([damaged])
        }
    }

    @Test("commands are formatted with their lengths, whatever bytes they hold")
    func formatting() throws {
        let commands = [
            RedisCommand("SET", ["k", RedisArgument([0, 13, 10, 255]), RedisArgument(-12)]), RedisCommand("PING"),
            RedisCommand("ECHO", [""]),
        ]
        let buffer = try #require(CommandFormatter.format(commands))
        let expected =
            Array("*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n".utf8) + [0, 13, 10, 255]
            + Array("\r\n$3\r\n-12\r\n*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n".utf8)
        #expect(Array(buffer.readableBytesView) == expected)
    }
}
