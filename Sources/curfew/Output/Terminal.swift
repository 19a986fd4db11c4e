// Where the command line writes: answers on standard output, everything else on standard error. One call is one
// write of whole lines, so that what several processes and threads print never mixes within a line.

import Foundation

enum Terminal {
    /// Whether standard output is a person's terminal, without NO_COLOR.
    static let isColourful = isatty(1) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

    /// A line, or several, on standard output.
    static func say(_ text: String) { write(text + "\n", to: 1) }

    /// The one line about what went wrong, on standard error.
    static func complain(_ line: String) {
        let words = line.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
        write("curfew: " + words.joined(separator: " ") + "\n", to: 2)
    }

    /// `text` as it is, whole, whatever the file descriptor takes at once. A reader that went away is no error.
    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes = bytes.dropFirst(count)
            } else if errno != EINTR {
                return
            }
        }
    }

    /// A token as it was given; `-` reads it from standard input, where no process list shows it.
    static func token(_ given: String) throws(CommandFailure) -> String {
        guard given == "-" else { return given }
        guard let line = readLine() else { throw CommandFailure(.usage, "-: expected a token on standard input") }
        return line.trimmingCharacters(in: .whitespaces)
    }

    static func bold(_ text: String) -> String { styled(text, "1") }
    static func dim(_ text: String) -> String { styled(text, "2") }
    static func green(_ text: String) -> String { styled(text, "32") }
    static func red(_ text: String) -> String { styled(text, "31") }

    private static func styled(_ text: String, _ code: String) -> String {
        isColourful ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    /// What moves a cursor, or turns the direction of a line.
    private static let steering: Set<Unicode.GeneralCategory> = [
        .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned,
    ]

    /// Names that clients gave themselves do nothing to a terminal.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { Self.steering.contains($0.properties.generalCategory) ? "\u{FFFD}" : $0 }))
    }
}
