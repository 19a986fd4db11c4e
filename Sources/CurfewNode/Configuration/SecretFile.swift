// Files with secrets, as orchestrators mount them: what others can read is no secret and is refused.

import Foundation

package enum SecretFile {
    private static let maximumSecretBytes = 4096

    /// A file that holds one secret and nothing else: its content, without the newline at its end.
    package static func load(path: String) throws(Setting.Expectation) -> String {
        var text = try text(path: path, maximumBytes: maximumSecretBytes)
        if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
        return text
    }

    /// Its content. Nobody but its owner may write it; of a secret, others must not read it either.
    package static func text(
        path: String, maximumBytes: Int, isSecret: Bool = true
    ) throws(Setting.Expectation) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Setting.Expectation("a file that can be read") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Setting.Expectation("a regular file")
        }
        guard status.st_mode & (isSecret ? 0o027 : 0o022) == 0 else {
            throw Setting.Expectation(
                (isSecret
                    ? "a file that others can't read and its group can't write, such as of mode 0400, not of mode 0"
                    : "a file that only its owner can write, such as of mode 0444, not of mode 0")
                    + String(status.st_mode & 0o777, radix: 8))
        }
        var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw Setting.Expectation("a file that can be read") }
        guard count <= maximumBytes, let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
            throw Setting.Expectation("at most \(maximumBytes) bytes of UTF-8")
        }
        return text
    }
}
