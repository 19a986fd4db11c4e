// `node1 │ ` before each line of a process, each in its own colour where there are colours.

import Foundation

enum Prefix {
    private static let colours = ["36", "32", "33", "35", "34", "31"]

    static func text(for name: String, index: Int) -> String {
        guard isatty(2) == 1, ProcessInfo.processInfo.environment["NO_COLOR"] == nil else { return "\(name) │ " }
        return "\u{1B}[\(colours[index % colours.count])m\(name) │\u{1B}[0m "
    }
}
