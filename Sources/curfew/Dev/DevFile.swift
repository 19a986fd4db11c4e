// `.curfew/dev.json`: what a running `curfew dev` tells other commands and scripts in the same folder.
//
//     {"redis":"redis://…","apiKey":"…","demo":"http://…/demo",
//      "nodes":[{"public":"http://…","admin":"http://…","pid":1}]}

import Foundation

struct DevFile: Codable {
    struct Node: Codable {
        let `public`: String
        let admin: String
        let pid: Int32

        /// A file that a killed `curfew dev` left behind names nobody.
        var isRunning: Bool { kill(pid, 0) == 0 || errno == EPERM }
    }
    let redis: String
    let apiKey: String
    let demo: String
    let nodes: [Node]

    static let path = ".curfew/dev.json"

    /// `nil` where there is none, or none that can be read.
    static func read() -> DevFile? {
        FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(DevFile.self, from: $0) }
    }

    /// Mode 0600 in a folder of mode 0700, whole or not at all.
    func write() throws(CommandFailure) {
        let folder = String(Self.path.prefix { $0 != "/" })
        mkdir(folder, 0o700)
        chmod(folder, 0o700)
        try PrivateFile.write(text + "\n", to: Self.path)
    }

    /// Takes the file away again, unless another `curfew dev` has put its own there since.
    func remove() {
        if DevFile.read()?.nodes.map(\.pid) == nodes.map(\.pid) { unlink(Self.path) }
    }

    private var text: String {
        let entries = nodes.map { node in
            "{\"public\":\(Self.quoted(node.public)),\"admin\":\(Self.quoted(node.admin)),\"pid\":\(node.pid)}"
        }
        return "{\"redis\":\(Self.quoted(redis)),\"apiKey\":\(Self.quoted(apiKey)),\"demo\":\(Self.quoted(demo)),"
            + "\"nodes\":[\(entries.joined(separator: ","))]}"
    }

    private static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        guard let data = try? encoder.encode(text) else { preconditionFailure("a text that has no JSON") }
        return String(decoding: data, as: UTF8.self)
    }
}
