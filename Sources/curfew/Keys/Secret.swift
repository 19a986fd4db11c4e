// Fresh secrets, and files that only their owner reads.

import Foundation

enum Secret {
    /// 256 bits from the system's generator, 43 letters of the URL-safe base64 alphabet.
    static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return String(
            Data(bytes).base64EncodedString().compactMap { character -> Character? in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }

    /// Starts with `cfk_`, so that scanners for leaked secrets can tell it.
    static func apiKey() -> String { "cfk_" + random() }
}

enum PrivateFile {
    /// Runs `body` while no other command changes files of that folder: two that did it at once would lose one another's keys.
    static func alone<Result>(with path: String, _ body: () throws -> Result) throws -> Result {
        let folder = URL(fileURLWithPath: path).resolvingSymlinksInPath().deletingLastPathComponent().path
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else { throw failure(path) }
        defer { close(descriptor) }
        return try body()
    }

    /// Writes `text`, whole or not at all: a reader sees the old file or the new one. With mode 0600; one that is there keeps its mode
    /// and whose it is, and a link stays one.
    static func write(_ text: String, to path: String) throws(CommandFailure) {
        let target = realpath(path, nil).map { resolved in
            defer { free(resolved) }
            return String(cString: resolved)
        }
        let draft = (target ?? path) + ".\(getpid()).new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        let bytes = Array(text.utf8)
        let isWritten =
            take(over: target, descriptor) && Foundation.write(descriptor, bytes, bytes.count) == bytes.count
            && fsync(descriptor) == 0
        let reason = errno
        close(descriptor)
        guard isWritten, rename(draft, target ?? path) == 0 else {
            let failure = failure(path, isWritten ? errno : reason)
            unlink(draft)
            throw failure
        }
    }

    /// Mode and owner of the file that is replaced. (The group of a file that nodes read is not the group of who rotates its keys.)
    private static func take(over target: String?, _ descriptor: CInt) -> Bool {
        var before = stat()
        guard let target, stat(target, &before) == 0 else { return fchmod(descriptor, 0o600) == 0 }
        return fchown(descriptor, before.st_uid, before.st_gid) == 0 && fchmod(descriptor, before.st_mode & 0o777) == 0
    }

    private static func failure(_ path: String, _ reason: CInt = errno) -> CommandFailure {
        CommandFailure(.usage, "\(path) can't be written: \(String(cString: strerror(reason)))")
    }
}
