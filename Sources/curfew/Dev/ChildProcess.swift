// One process that `curfew dev` started: its lines, prefixed with its name, go to this terminal; the last of them are
// kept, to say why it ended. Its standard input is a pipe that nobody writes to: it ends when this process does, even
// by SIGKILL, and the child takes that as the order to stop.

import Foundation
import Synchronization

final class ChildProcess: Sendable {
    let name: String
    private let process: Process
    private let lifeline: Pipe
    private let tail = Mutex<[String]>([])

    private static let tailLength = 12

    /// Starts it at once. Its lines are shown after `prefix`; without one they are only kept. Throws where the program can't be run.
    init(
        name: String, program: String, arguments: [String], environment: [String: String], prefix: String?
    ) throws(CommandFailure) {
        self.name = name
        process = Process()
        lifeline = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = environment
        process.standardInput = lifeline
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        for pipe in [output, errors] { pipe.fileHandleForReading.readabilityHandler = reader(prefix: prefix) }
        do {
            try Self.withoutBlockedSignals { try process.run() }
        } catch {
            throw CommandFailure(.internal, "\(program) can't be started: \(error.localizedDescription)")
        }
    }

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// How it ended, in words; it must have.
    var ending: String {
        switch process.terminationReason {
        case .exit: "ended with exit code \(process.terminationStatus)"
        case .uncaughtSignal: "was ended by signal \(process.terminationStatus)"
        @unknown default: "ended"
        }
    }

    /// 64 where the child ended over its configuration, so that the parent can end the same way.
    var exitCode: Int32 { process.terminationStatus }

    /// The last lines it printed, oldest first.
    var lastLines: [String] { tail.withLock { $0 } }

    /// SIGTERM, even to one that was stopped.
    func terminate() {
        guard isRunning else { return }
        kill(pid, SIGTERM)
        kill(pid, SIGCONT)
    }

    /// Waits until `deadline`, then SIGKILL.
    func end(by deadline: ContinuousClock.Instant) async {
        while isRunning, ContinuousClock.now < deadline { await pause() }
        if isRunning { kill(pid, SIGKILL) }
        while isRunning { await pause() }
    }

    /// Closes its standard input.
    func cutLifeline() { try? lifeline.fileHandleForWriting.close() }

    /// A child inherits the signal mask of the thread that starts it, and the threads that run tasks block nearly all
    /// signals: a shell would never hear that its own child has ended.
    private static func withoutBlockedSignals(_ body: () throws -> Void) throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    /// Also in a task that was cancelled: whoever stops things must be able to wait.
    private func pause() async {
        await Task.detached { try? await Task.sleep(for: .milliseconds(10)) }.value
    }

    private func reader(prefix: String?) -> @Sendable (FileHandle) -> Void {
        let rest = Mutex<Data>(Data())
        return { [weak self] handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil }
            let lines = rest.withLock { rest in
                rest.append(data)
                let end = data.isEmpty ? rest.endIndex : (rest.lastIndex(of: 0x0A).map { $0 + 1 } ?? rest.startIndex)
                let whole = rest[..<end]
                rest = Data(rest[end...])
                return String(decoding: whole, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
            }
            self?.show(lines, prefix: prefix)
        }
    }

    private func show(_ lines: [String], prefix: String?) {
        guard !lines.isEmpty else { return }
        tail.withLock { tail in
            tail.append(contentsOf: lines)
            tail.removeFirst(max(0, tail.count - Self.tailLength))
        }
        guard let prefix else { return }
        Terminal.write(lines.map { prefix + $0 + "\n" }.joined(), to: 2)
    }
}
