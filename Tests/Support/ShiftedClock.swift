// A wall clock that is off, for one process at a time: a small library, preloaded, that adds some seconds to CLOCK_REALTIME
// and leaves every other clock and every timer alone (libfaketime shifts timers as well: a node behind would not poll). The
// shift lies in a file that the process maps, so that a test can move the clock while the process runs; or stop it, so that
// the test knows to the microsecond what time it is there.

import Foundation

/// Seconds that preloaded processes are ahead of the true wall clock.
package final class ShiftedClock: Sendable {
    /// Whether there is a C compiler (Swift's toolchain has one) to make the library with.
    package static let isAvailable = compiler != nil

    private let directory: String

    package init(seconds: Int) throws {
        directory = try makePrivateDirectory()
        try Self.source.write(toFile: directory + "/shift.c", atomically: false, encoding: .utf8)
        let build = Process()
        build.executableURL = URL(fileURLWithPath: Self.compiler ?? "/usr/bin/cc")
        build.arguments = ["-O", "-shared", "-fPIC", "-o", library, directory + "/shift.c"]
        try build.run()
        build.waitUntilExit()
        guard build.terminationStatus == 0 else {
            throw SpawnedProcess.SpawnError(description: "can't compile \(directory)/shift.c")
        }
        guard FileManager.default.createFile(atPath: file, contents: Self.bytes(seconds, 0)) else {
            throw SpawnedProcess.SpawnError(description: "can't write \(file)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// What a process must have in its environment.
    package var environment: [String: String] { ["LD_PRELOAD": library, "SHIFTED_CLOCK": file] }

    /// Moves the clock of every process that has it, at once.
    package func move(to seconds: Int) throws { try write(Self.bytes(seconds, 0)) }

    /// Stops the clock at this UNIX time.
    package func stop(atMicroseconds now: Int64) throws { try write(Self.bytes(0, Int(now))) }

    private func write(_ bytes: Data) throws {
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file))
        defer { try? handle.close() }
        try handle.write(contentsOf: bytes)
    }

    private var library: String { directory + "/shift.so" }
    private var file: String { directory + "/seconds" }

    private static func bytes(_ seconds: Int, _ stoppedAtMicroseconds: Int) -> Data {
        withUnsafeBytes(of: (seconds, stoppedAtMicroseconds)) { Data($0) }
    }

    private static let compiler: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.flatMap { ["\($0)/clang", "\($0)/cc"] }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    private static let source = """
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        static long none[2];
        static volatile long *shift;
        static volatile long *shifted(void) {
            if (!shift) {
                const char *path = getenv("SHIFTED_CLOCK");
                int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
                void *memory = file < 0 ? MAP_FAILED : mmap(0, sizeof none, PROT_READ, MAP_SHARED, file, 0);
                shift = memory == MAP_FAILED ? none : memory;
                if (file >= 0) close(file);
            }
            return shift;
        }
        int clock_gettime(clockid_t clock, struct timespec *to) {
            int outcome = syscall(SYS_clock_gettime, clock, to);
            if (outcome == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
                long stopped = shifted()[1];
                to->tv_sec = stopped ? stopped / 1000000 : to->tv_sec + shifted()[0];
                if (stopped) to->tv_nsec = stopped % 1000000 * 1000;
            }
            return outcome;
        }
        int gettimeofday(struct timeval *restrict to, void *restrict zone) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            to->tv_sec = now.tv_sec;
            to->tv_usec = now.tv_nsec / 1000;
            return 0;
        }
        time_t time(time_t *to) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (to) *to = now.tv_sec;
            return now.tv_sec;
        }

        """
}
