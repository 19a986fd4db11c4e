// Just enough RESP2 for the baselines: commands as arrays of strings, replies compared as bytes.

/// One connection to a Redis on a Unix socket.
public final class Redis {
    public let socket: Socket

    public init(path: String) throws(WireError) { socket = try Socket(path: path) }

    /// A command's bytes.
    public static func command(_ parts: [[UInt8]]) -> [UInt8] {
        parts.reduce(into: Array("*\(parts.count)\r\n".utf8)) { bytes, part in bytes += bulk(part) }
    }

    public static func command(_ parts: String...) -> [UInt8] { command(parts.map { Array($0.utf8) }) }

    /// What a subscriber of `channel` receives for one message.
    public static func message(_ payload: [UInt8], on channel: String) -> [UInt8] {
        Array("*3\r\n".utf8) + bulk(Array("message".utf8)) + bulk(Array(channel.utf8)) + bulk(payload)
    }

    private static func bulk(_ bytes: [UInt8]) -> [UInt8] {
        Array("$\(bytes.count)\r\n".utf8) + bytes + Array("\r\n".utf8)
    }

    /// Blocks until exactly these bytes have come; throws where others did.
    public func expect(_ reply: [UInt8]) throws(WireError) {
        while socket.unread.count < reply.count { try socket.fill() }
        let got = socket.take(reply.count)
        guard got == reply else { throw WireError("redis said \(String(decoding: got, as: UTF8.self))") }
    }
}
