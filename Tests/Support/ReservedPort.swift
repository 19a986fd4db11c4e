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
            if sockaddr_in.loopback(candidate).bindReusing(descriptor) {
                number = candidate
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
        throw SpawnedProcess.SpawnError(description: "no port to reserve")
    }

    deinit { close(descriptor) }
}
