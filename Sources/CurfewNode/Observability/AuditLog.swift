// The audit log on standard output. Whoever records waits for nobody: entries go into a queue with a bound, and one thread of its own
// writes them, a line in one piece. What a full queue or a closed pipe does not take is counted, and logged: the first
// of it, then once a minute.

import Logging
import NIOPosix
import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs as one of the node's services, and ends after those that record.
package final class AuditLog: Service {
    /// Entries that wait to be written. One more is dropped.
    package static let maximumWaiting = 10_000
    /// How long a node that stops waits for who reads the log.
    static let patience = Duration.seconds(1)
    private static let turnMilliseconds: Int32 = 50

    private let descriptor: Int32
    private let drops: AuditDrops
    private let entries: AsyncStream<AuditEntry>
    private let waiting: AsyncStream<AuditEntry>.Continuation
    /// When what is left is dropped.
    private let end = Mutex<ContinuousClock.Instant?>(nil)

    /// `descriptor` is written to, and never closed.
    package init(descriptor: Int32 = STDOUT_FILENO, logger: Logger) {
        self.descriptor = descriptor
        drops = AuditDrops(reason: "standard output", logger: logger)
        (entries, waiting) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.maximumWaiting))
    }

    /// Entries that nobody will read.
    package var dropped: UInt64 { drops.count }

    package func record(_ entry: AuditEntry) {
        switch waiting.yield(entry) {
        case .enqueued: break
        case .dropped, .terminated: drops.add()
        @unknown default: drops.add()
        }
    }

    package func run() async throws {
        // Whoever read the log may be gone: that is no reason to end.
        signal(SIGPIPE, SIG_IGN)
        let thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
        await withGracefulShutdownHandler {
            for await entry in entries {
                let line = entry.line
                let isWritten = (try? await thread.runIfActive { self.put(line) }) ?? false
                if !isWritten { drops.add() }
            }
        } onGracefulShutdown: {
            self.stop()
        }
        try await thread.shutdownGracefully()
    }

    /// Takes no more; what is left is written, or dropped once the patience is over.
    package func stop() {
        end.withLock { $0 = .now + Self.patience }
        waiting.finish()
    }

    /// Waits as long as it takes, while the node runs. A line that is no longer than `PIPE_BUF` is written as a whole.
    private func put(_ line: [UInt8]) -> Bool {
        var place = 0
        while place < line.count {
            var awaited = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let isOver = end.withLock(\.self).map { .now >= $0 } ?? false
            let count = poll(&awaited, 1, isOver ? 0 : Self.turnMilliseconds)
            if count <= 0 {
                if count < 0, errno != EINTR { return false }
                if isOver { return false }
                continue
            }
            guard awaited.revents & Int16(POLLOUT) != 0 else { return false }
            let length = line[place...].withUnsafeBytes { bytes in
                write(descriptor, bytes.baseAddress, bytes.count)
            }
            if length < 0, errno != EINTR, errno != EAGAIN { return false }
            place += max(0, length)
        }
        return true
    }
}
