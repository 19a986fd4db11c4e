// A connection that sends exactly the bytes it is given: what a client library would refuse to send is what the bad-input
// tests are about, and the hammer wants no library between it and the clock.

import Foundation
import Glibc

/// What can go wrong below HTTP.
package enum SocketError: Error, Sendable, Equatable {
    case refused, failed(errno: Int32), timedOut, closed, notHTTP(String)
}

/// A blocking TCP connection to a port of 127.0.0.1, for one thread.
package final class RawConnection {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    package init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in.loopback(port)
        let outcome = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // `deinit` closes it: it runs for an initializer that throws this late, too.
        guard outcome == 0 else { throw errno == ECONNREFUSED ? SocketError.refused : .failed(errno: errno) }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    /// Sends all of it. A peer that has stopped reading ends the sending quietly: its answer is what counts.
    package func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }

    /// Says that nothing more will be sent.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next answer. Throws `timedOut` when it is not whole by then, `closed` when the peer hung up first.
    package func answer(withinMilliseconds limit: Int = 5_000) throws -> HTTPAnswer {
        let deadline = BootClock.now + Int64(limit) * 1_000_000
        let ending = Array("\r\n\r\n".utf8)
        var end = buffer.firstRange(of: ending)
        while end == nil {
            try fill(until: deadline)
            end = buffer.firstRange(of: ending)
        }
        guard let end else { throw SocketError.closed }
        var answer = try Self.parseHead(buffer[..<end.lowerBound])
        buffer.removeFirst(end.upperBound)
        if let length = answer.header("content-length").flatMap({ Int($0) }) {
            while buffer.count < length { try fill(until: deadline) }
            answer.body = Array(buffer.prefix(length))
            buffer.removeFirst(length)
        } else if answer.header("transfer-encoding") != nil {
            answer.body = try chunks(until: deadline)
        }
        return answer
    }

    /// Whether the peer hangs up in time (after whatever else it still says).
    package func isClosed(withinMilliseconds limit: Int = 5_000) -> Bool {
        let deadline = BootClock.now + Int64(limit) * 1_000_000
        while true {
            do { try fill(until: deadline) } catch { return error as? SocketError == .closed }
        }
    }

    /// Without its end. Of an answer that has no length.
    package func line(withinMilliseconds limit: Int = 10_000) throws -> String {
        let deadline = BootClock.now + Int64(limit) * 1_000_000
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffer.removeFirst(end + 1) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            try fill(until: deadline)
        }
    }

    private func chunks(until deadline: Int64) throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            var line = buffer.firstRange(of: Array("\r\n".utf8))
            while line == nil {
                try fill(until: deadline)
                line = buffer.firstRange(of: Array("\r\n".utf8))
            }
            guard let line, let size = Int(String(decoding: buffer[..<line.lowerBound], as: UTF8.self), radix: 16)
            else {
                throw SocketError.notHTTP("chunk size")
            }
            buffer.removeFirst(line.upperBound)
            while buffer.count < size + 2 { try fill(until: deadline) }
            body += buffer.prefix(size)
            buffer.removeFirst(size + 2)
            if size == 0 { return body }
        }
    }

    private func fill(until deadline: Int64) throws {
        let left = (deadline - BootClock.now) / 1_000_000
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard left > 0, poll(&wait, 1, Int32(left)) > 0 else { throw SocketError.timedOut }
        var piece = [UInt8](repeating: 0, count: 16 * 1024)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else { throw SocketError.closed }
        buffer += piece.prefix(count)
    }

    fileprivate static func parseHead(_ bytes: ArraySlice<UInt8>) throws -> HTTPAnswer {
        let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        let first = lines[0].split(separator: " ")
        guard first.count >= 2, first[0].hasPrefix("HTTP/1."), let status = Int(first[1]) else {
            throw SocketError.notHTTP(String(lines[0].prefix(80)))
        }
        let headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            return (name: parts.first ?? "", value: parts.count > 1 ? parts[1] : "")
        }
        return HTTPAnswer(status: status, headers: headers, body: [])
    }
}

extension sockaddr_in {
    static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr = in_addr(s_addr: inet_addr("127.0.0.1"))
        return address
    }

    /// Gives a socket this address; whether the system let it.
    func bind(_ descriptor: Int32) -> Bool {
        withUnsafePointer(to: self) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// The same where others have had it, or hold it without listening.
    func bindReusing(_ descriptor: Int32) -> Bool {
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        return bind(descriptor)
    }
}

extension HTTPAnswer {
    /// Takes the first answer off what was received, where it is whole. For answers that state their length.
    static func first(in received: inout [UInt8]) throws -> HTTPAnswer? {
        guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        var answer = try RawConnection.parseHead(received[..<end.lowerBound])
        let length = answer.header("content-length").flatMap { Int($0) } ?? 0
        guard received.count >= end.upperBound + length else { return nil }
        answer.body = Array(received[end.upperBound..<(end.upperBound + length)])
        received.removeFirst(end.upperBound + length)
        return answer
    }
}
