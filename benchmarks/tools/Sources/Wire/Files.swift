// What the tools leave behind for the load generator, and are given.

import Glibc

/// A line each. Mode 0600: tokens are secrets, even these.
public func writeLines(_ lines: [String], to path: String) throws(WireError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0, let file = fdopen(descriptor, "w") else { throw WireError("\(path): can't be written") }
    defer { fclose(file) }
    for line in lines { fputs(line + "\n", file) }
}

/// All of its bytes.
public func readFile(_ path: String) throws(WireError) -> [UInt8] {
    guard let file = fopen(path, "re") else { throw WireError("\(path): can't be read") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var space = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
        let count = fread(&space, 1, space.count, file)
        if count == 0 { return bytes }
        bytes += space[..<count]
    }
}
