// What the tools leave behind for the load generator.

import Glibc

/// A line each. Mode 0600: tokens are secrets, even these.
public func writeLines(_ lines: [String], to path: String) throws(WireError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0, let file = fdopen(descriptor, "w") else { throw WireError("\(path): can't be written") }
    defer { fclose(file) }
    for line in lines { fputs(line + "\n", file) }
}
