// `--name value` pairs of a command line, and how a tool ends.

import Glibc

/// The command line of a tool.
public struct Arguments {
    private var values: [String: String] = [:]

    public init() throws(WireError) {
        let words = Array(CommandLine.arguments.dropFirst())
        guard words.count.isMultiple(of: 2) else { throw WireError("expected pairs of --name value") }
        for index in stride(from: 0, to: words.count, by: 2) {
            guard words[index].hasPrefix("--") else { throw WireError("\(words[index]): expected --name") }
            values[String(words[index].dropFirst(2))] = words[index + 1]
        }
    }

    public func text(_ name: String) throws(WireError) -> String {
        guard let value = values[name] else { throw WireError("--\(name) is missing") }
        return value
    }

    public func number(_ name: String) throws(WireError) -> Int {
        let text = try text(name)
        guard let number = Int(text) else { throw WireError("--\(name): \(text), expected a number") }
        return number
    }

    public func port(_ name: String) throws(WireError) -> UInt16 {
        guard let port = UInt16(exactly: try number(name)) else { throw WireError("--\(name): expected a port") }
        return port
    }

    /// A variable: secrets are no arguments, those can be read by anybody.
    public static func secret(_ variable: String) throws(WireError) -> String {
        guard let value = getenv(variable) else { throw WireError("\(variable) is not set") }
        return String(cString: value)
    }
}

/// One line to standard error.
public func note(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Runs a tool; what it throws is one line and exit code 1.
public func run(_ body: () throws -> Void) {
    do {
        try body()
    } catch {
        note("\(CommandLine.arguments[0]): \(error)")
        exit(1)
    }
}
