// A stream socket and the bytes that were read from it: plain system calls, so that what is measured is the server and
// not this tool. One thread uses it.

import Glibc

/// What went wrong on a socket, and where.
public struct WireError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }

    static func system(_ call: String) -> WireError { WireError("\(call): \(String(cString: strerror(errno)))") }
}

/// A connected socket that blocks.
public final class Socket {
    public let descriptor: Int32
    /// Read and not yet taken.
    public private(set) var unread: [UInt8] = []
    private var space = [UInt8](repeating: 0, count: 64 * 1024)

    /// To a port on 127.0.0.1, with TCP_NODELAY.
    public init(port: UInt16) throws(WireError) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system("socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        try Socket.connect(descriptor, &address)
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// To a Unix socket.
    public init(path: String) throws(WireError) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < capacity else { throw WireError("\(path): too long for a Unix socket") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try Socket.connect(descriptor, &address)
    }

    deinit { close(descriptor) }

    private static func connect<Address>(_ descriptor: Int32, _ address: inout Address) throws(WireError) {
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
        guard result == 0 else { throw .system("connect") }
    }

    /// All of it.
    public func send(_ bytes: [UInt8]) throws(WireError) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw .system("send")
            }
            sent += count
        }
    }

    /// Reads once, blocking until something is there. Throws at the end of the stream.
    public func fill() throws(WireError) {
        while true {
            let count = space.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count > 0 {
                unread.append(contentsOf: space[..<count])
                return
            }
            if count == 0 { throw WireError("closed by the server") }
            guard errno == EINTR else { throw .system("recv") }
        }
    }

    /// Takes the first `count` unread bytes.
    public func take(_ count: Int) -> [UInt8] {
        let taken = Array(unread[..<count])
        unread.removeFirst(count)
        return taken
    }
}

/// Waits until any of `sockets` can be read; answers which. Empty when `milliseconds` passed.
public func readable(_ sockets: [Socket], milliseconds: Int32) throws(WireError) -> [Int] {
    var waits = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    while true {
        let count = poll(&waits, nfds_t(waits.count), milliseconds)
        if count >= 0 { return waits.indices.filter { waits[$0].revents != 0 } }
        guard errno == EINTR else { throw .system("poll") }
    }
}
