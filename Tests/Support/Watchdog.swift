// Nothing that the tests start outlives them. A small shell reads from a pipe what was started and what ended; when the
// test process goes, however it goes, the pipe closes and the shell kills what is left, each by its own id.

import Foundation
import Glibc
import Synchronization

/// The one watchdog of a test process.
package enum Watchdog {
    /// From now on `pid` is killed when this process ends.
    package static func adopt(_ pid: pid_t) { say("add \(pid)") }

    /// `pid` has ended and was waited for; its number may be somebody else's from now on.
    package static func forget(_ pid: pid_t) { say("drop \(pid)") }

    private static let script = """
        trap '' INT TERM HUP
        alive=''
        while read -r word pid; do
            case $word in
            add) alive="$alive $pid" ;;
            drop) rest=''
                for one in $alive; do [ "$one" = "$pid" ] || rest="$rest $one"; done
                alive=$rest ;;
            esac
        done
        for one in $alive; do kill -KILL "$one" 2>/dev/null; done
        """

    /// The write end of the pipe; -1 when it could not be started, which only costs the safety net.
    private static let lifeline = Mutex(open())

    private static func say(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        lifeline.withLock { descriptor in
            if descriptor >= 0 { _ = write(descriptor, bytes, bytes.count) }
        }
    }

    private static func open() -> Int32 {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return -1 }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let started = try? SpawnedProcess.spawn(
            "/bin/sh", ["sh", "-c", script], environment: [:], input: ends[0], output: nil)
        close(ends[0])
        if started == nil {
            close(ends[1])
            return -1
        }
        return ends[1]
    }
}
