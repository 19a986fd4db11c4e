// A child process by its id: started with nothing inherited but its three standard descriptors (an inherited socket would
// keep a connection open that a test has closed), signalled only while it is not yet waited for, killed with the tests.

import Foundation
import Glibc
import Synchronization

/// A child that writes what it says into one file.
package final class SpawnedProcess: Sendable {
    /// How a process ended.
    package enum Exit: Sendable, Equatable { case code(Int32), signal(Int32) }

    /// Could not be started.
    package struct SpawnError: Error, CustomStringConvertible { package let description: String }

    package let pid: pid_t
    /// Where its standard output and error go.
    package let logPath: String
    private let ended = Mutex<Exit?>(nil)

    /// Starts `executable`; both of its outputs are appended to `logPath`.
    package init(
        _ executable: String, _ arguments: [String], environment: [String: String], logPath: String
    ) throws {
        self.logPath = logPath
        let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw SpawnError(description: "can't write \(logPath): errno \(errno)") }
        defer { close(log) }
        pid = try Self.spawn(
            executable, [executable] + arguments, environment: environment, input: nil, output: log)
        Watchdog.adopt(pid)
    }

    deinit {
        if status() == nil {
            kill(pid, SIGKILL)
            _ = reap(options: 0)
        }
    }

    /// How it ended; `nil` while it lives.
    package func status() -> Exit? { reap(options: WNOHANG) }

    /// Sends a signal, unless it has ended.
    package func send(_ signal: Int32) {
        ended.withLock { if $0 == nil { kill(pid, signal) } }
    }

    /// Kills it and returns when it is gone.
    package func killAndWait() {
        send(SIGKILL)
        _ = reap(options: 0)
    }

    /// SIGSTOP; returns when every thread of it stands.
    package func pause() {
        send(SIGSTOP)
        Self.waitUntilStopped(pid)
    }

    /// Returns when every thread of a process that was sent SIGSTOP stands (or after two seconds).
    package static func waitUntilStopped(_ pid: pid_t) {
        let giveUp = BootClock.now + 2_000_000_000
        while !isStopped(pid), BootClock.now < giveUp { sched_yield() }
    }

    /// SIGCONT.
    package func resume() { send(SIGCONT) }

    private static func isStopped(_ pid: pid_t) -> Bool {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return tasks.allSatisfy { task in
            guard let stat = try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/stat", encoding: .utf8) else {
                return true
            }
            return stat.split(separator: ")").last?.split(separator: " ").first == "T"
        }
    }

    private func reap(options: Int32) -> Exit? {
        ended.withLock { ended in
            if let ended { return ended }
            var status: Int32 = 0
            guard waitpid(pid, &status, options) == pid else { return nil }
            Watchdog.forget(pid)
            ended = status & 0x7f == 0 ? .code((status >> 8) & 0xff) : .signal(status & 0x7f)
            return ended
        }
    }

    /// posix_spawn with every descriptor above 2 closed. `nil` for input or output is /dev/null.
    static func spawn(
        _ executable: String, _ arguments: [String], environment: [String: String], input: Int32?, output: Int32?
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        for descriptor in 1...2 as ClosedRange<Int32> {
            if let output {
                posix_spawn_file_actions_adddup2(&actions, output, descriptor)
            } else {
                posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
            }
        }
        for descriptor in 3...highestDescriptor() { posix_spawn_file_actions_addclose(&actions, descriptor) }
        let words = arguments.map { strdup($0) } + [nil]
        let settings = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (words + settings).forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, executable, &actions, nil, words, settings)
        guard failure == 0 else {
            throw SpawnError(description: "can't start \(executable): \(String(cString: strerror(failure)))")
        }
        return pid
    }
}

/// The highest descriptor that is open just now, and some to spare for those that other threads are opening.
private func highestDescriptor() -> Int32 {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    let highest = open.compactMap { Int32($0) }.max() ?? 0
    return min(highest + 128, Int32(clamping: limit.rlim_cur) - 1)
}

/// CLOCK_BOOTTIME in nanoseconds: the clock that the nodes measure their freshness with, on the same machine.
package enum BootClock {
    package static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
