// A run that crashes names its seed: by a signal handler, which may do no more than write what was made ready before.

import Foundation

enum CrashNote {
    private static let capacity = 160
    // `nonisolated(unsafe)`: one thread runs all seeds, and a handler runs on the thread that crashed.
    nonisolated(unsafe) private static let text = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
    // `nonisolated(unsafe)`: as above.
    nonisolated(unsafe) private static var length = 0

    /// A crash says what it ran.
    static func install() {
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] {
            signal(number) { number in
                _ = write(STDOUT_FILENO, CrashNote.text, CrashNote.length)
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    /// The seed that runs from now on. What was printed before it is out.
    static func seed(_ seed: UInt64) {
        fflush(nil)
        let note = "seed \(seed): crashed\nreplay: make simulate seeds=1 first=\(seed)\n"
        length = min(note.utf8.count, capacity)
        _ = note.withCString { strncpy(text, $0, capacity) }
    }
}
