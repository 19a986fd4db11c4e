// A port for a process that starts later, ends, and starts again: bound, but not listened on, for as long as the value
// lives. Whoever looks for a free port passes it by, while the process it is meant for may still listen on it, as both
// sides set SO_REUSEADDR. Without this, a cluster's dozen of ports clash with each other once in some hundred starts.

import Glibc

/// A port of 127.0.0.1 that is this test's own.
package final class ReservedPort: Sendable {
    package let number: Int
    private let descriptor: Int32

    package init() throws {
        for _ in 0..<100 {
            let candidate = try findFreePort()
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            if Self.bind(descriptor, to: candidate) {
                number = candidate
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
        throw SpawnedProcess.SpawnError(description: "no port to reserve")
    }

    deinit { close(descriptor) }

    private static func bind(_ descriptor: Int32, to port: Int) -> Bool {
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in.loopback(port)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
