// A tiny blocking Redis client on a unix socket, for tests that look at or disturb a server behind the code under test.
// It shares nothing with CurfewRedis on purpose, and speaks just enough of the wire format to print a reply as text.

import Foundation

/// What a call from a test can end in.
package struct RedisCallError: Error, CustomStringConvertible {
    package let description: String
}

/// One blocking connection; each call gives up after ten seconds without an answer.
struct RedisCall: ~Copyable {
    private let descriptor: Int32
    private var unread: [UInt8] = []

    init(unixSocket path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw RedisCallError(description: "no socket (errno \(errno))") }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else { throw RedisCallError(description: "can't connect to \(path) (errno \(errno))") }
    }

    deinit { close(descriptor) }

    /// The reply as text: arrays one element a line, nil as the empty string, errors thrown.
    mutating func call(_ arguments: [String]) throws -> String {
        var request = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments {
            request += Array("$\(argument.utf8.count)\r\n".utf8) + Array(argument.utf8) + [13, 10]
        }
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                return send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw RedisCallError(description: "can't write (errno \(errno))") }
            sent += count
        }
        return try reply()
    }

    private mutating func reply() throws -> String {
        let line = try readLine()
        let rest = String(line.dropFirst())
        switch line.first {
        case "+", ":": return rest
        case "-": throw RedisCallError(description: rest)
        case "$":
            guard let count = Int(rest), count >= 0 else { return "" }
            return String(decoding: try readBytes(count + 2).dropLast(2), as: UTF8.self)
        case "*":
            guard let count = Int(rest), count > 0 else { return "" }
            var elements: [String] = []
            for _ in 0..<count { elements.append(try reply()) }
            return elements.joined(separator: "\n")
        default: throw RedisCallError(description: "not a reply: \(line)")
        }
    }

    private mutating func readLine() throws -> String {
        while true {
            if let end = unread.firstIndex(of: 13), end + 1 < unread.count {
                return String(decoding: try readBytes(end + 2).dropLast(2), as: UTF8.self)
            }
            try fill()
        }
    }

    private mutating func readBytes(_ count: Int) throws -> [UInt8] {
        while unread.count < count { try fill() }
        defer { unread.removeFirst(count) }
        return Array(unread.prefix(count))
    }

    private mutating func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { throw RedisCallError(description: count == 0 ? "closed" : "no answer (errno \(errno))") }
        unread += chunk.prefix(count)
    }
}
