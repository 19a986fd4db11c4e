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
    /// Writes `text` with mode 0600, whole or not at all: a reader sees the old file or the new one.
    static func write(_ text: String, to path: String) throws(CommandFailure) {
        let draft = path + ".\(getpid()).new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        fchmod(descriptor, 0o600)
        let bytes = Array(text.utf8)
        let isWritten = Foundation.write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        guard isWritten, rename(draft, path) == 0 else {
            let failure = failure(path)
            unlink(draft)
            throw failure
        }
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(.usage, "\(path) can't be written: \(String(cString: strerror(errno)))")
    }
}
