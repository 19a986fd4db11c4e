// A wire of the kernel's own: a pair of virtual network cards, one end here, the other in a network namespace, where a proxy listens. Cut,
// it loses packets without a word, and the kernel sends them again when it is mended; a proxy can only hold back what has been
// acknowledged to its sender long ago. The namespace has no name: the kernel removes it, and the cards, with the last
// descriptor that refers to it, however this process ends.

import Foundation
import Glibc

/// One end at `near`, which is this machine's, the other at `far`.
package final class Wire: Sendable {
    /// Whether this process may make one.
    package static let isAvailable = (try? Wire()) != nil

    package let near: String
    package let far: String
    /// The command.
    private let ip: String
    private static let farCard = "far0"
    private let namespace: Int32

    package init() throws {
        guard let ip = Self.ip else { throw SpawnedProcess.SpawnError(description: "there is no `ip` command") }
        let number = UInt32.random(in: 0..<(50 << 14))
        // A network of four addresses somewhere in 10.200.0.0 to 10.249.255.255.
        let base = "10.\(200 + (number >> 14)).\(number >> 6 & 255)"
        (near, far) = ("\(base).\((number & 63) * 4 + 1)", "\(base).\((number & 63) * 4 + 2)")
        let (near, far, nearCard) = (near, far, "cfw" + String(number, radix: 36))
        self.ip = ip
        namespace = try Self.onThread {
            guard Self.unshare?(Self.newNetwork) == 0 else {
                throw SpawnedProcess.SpawnError(description: "no network namespace: errno \(errno)")
            }
            let namespace = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
            do {
                try Self.run(
                    ip, "link", "add", Self.farCard, "type", "veth", "peer", "name", nearCard, "netns", "\(getpid())")
                try Self.run(ip, "addr", "add", far + "/30", "dev", Self.farCard)
                try Self.run(ip, "link", "set", Self.farCard, "up")
            } catch {
                close(namespace)
                throw error
            }
            return namespace
        }
        do {
            try Self.run(ip, "addr", "add", near + "/30", "dev", nearCard)
            try Self.run(ip, "link", "set", nearCard, "up")
        } catch {
            close(namespace)
            throw error
        }
    }

    deinit { close(namespace) }

    /// Nothing passes either way.
    package func cut() throws { try atFarEnd("link", "set", Self.farCard, "down") }
    /// What the far end sends is lost.
    package func loseAnswers() throws { try atFarEnd("route", "add", "blackhole", near + "/32") }
    /// What this end sends is lost.
    package func loseRequests() throws { try Self.run(ip, "route", "add", "blackhole", far + "/32") }

    /// Everything passes again.
    package func mend() throws {
        try atFarEnd("link", "set", Self.farCard, "up")
        try? atFarEnd("route", "del", "blackhole", near + "/32")
        try? Self.run(ip, "route", "del", "blackhole", far + "/32")
    }

    /// A socket that listens at the far end.
    func listen(port: Int) throws -> Int32 {
        let (namespace, far) = (namespace, far)
        return try Self.onThread {
            try Self.enter(namespace)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_in.loopback(port)
            inet_pton(AF_INET, far, &address.sin_addr)
            guard address.bindReusing(descriptor), Glibc.listen(descriptor, 128) == 0 else {
                close(descriptor)
                throw SpawnedProcess.SpawnError(description: "can't listen on \(far):\(port): errno \(errno)")
            }
            return descriptor
        }
    }

    // MARK: commands

    private static let ip = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private func atFarEnd(_ arguments: String...) throws {
        let (namespace, ip) = (namespace, ip)
        try Self.onThread {
            try Self.enter(namespace)
            try Self.run([ip] + arguments)
        }
    }

    // <sched.h> has them for _GNU_SOURCE only, which Swift's Glibc module is made without.
    private static let newNetwork: Int32 = 0x4000_0000
    private static let unshare = dlsym(nil, "unshare").map {
        unsafeBitCast($0, to: (@convention(c) (Int32) -> Int32).self)
    }
    private static let setns = dlsym(nil, "setns").map {
        unsafeBitCast($0, to: (@convention(c) (Int32, Int32) -> Int32).self)
    }

    private static func enter(_ namespace: Int32) throws {
        guard setns?(namespace, newNetwork) == 0 else {
            throw SpawnedProcess.SpawnError(description: "can't enter the namespace: errno \(errno)")
        }
    }

    private static func run(_ words: String...) throws { try run(words) }

    /// A child has the namespace of the thread that starts it.
    private static func run(_ words: [String]) throws {
        let pid = try SpawnedProcess.spawn(words[0], words, environment: [:], input: nil, output: nil)
        var status: Int32 = 0
        guard waitpid(pid, &status, 0) == pid, status == 0 else {
            throw SpawnedProcess.SpawnError(description: "\(words.joined(separator: " ")) failed")
        }
    }

    /// A thread of its own: no other may change its namespace.
    private static func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        let result = ThreadResult<Value>()
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            result.value = Result { try body() }
            done.signal()
        }
        done.wait()
        guard let value = result.value else { preconditionFailure("the thread has ended") }
        return try value.get()
    }

    // `@unchecked Sendable`: written before the semaphore is signalled, read after.
    private final class ThreadResult<Value>: @unchecked Sendable { var value: Result<Value, any Error>? }
}
