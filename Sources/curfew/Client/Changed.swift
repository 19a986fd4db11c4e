// What the commands that change something have in common: the options of a change, and how far it has come.

import ArgumentParser
import CurfewNode
import Foundation

struct ChangeFlags: ParsableArguments {
    @Option(help: "logout, admin, security, password_changed, or free text of at most 64 bytes (default: admin).")
    var reason: String?
    @Option(help: "none, or cluster: answer once every node goes by it (default: none).") var wait: String?
    @Option(help: "How long to wait at most, such as 2s.") var timeout: String?
    @Option(help: "primary, or replica: answer once a replica has it (default: primary).") var durability: String?

    func validate() throws {
        guard timeout == nil || milliseconds != nil else {
            throw ValidationError("--timeout takes a duration such as 500ms or 2s")
        }
    }

    /// Members of a request's body.
    var members: [String: any Encodable] {
        var members: [String: any Encodable] = [:]
        for case (let name, let text?) in [("reason", reason), ("wait", wait), ("durability", durability)] {
            members[name] = text
        }
        if let milliseconds { members["timeoutMs"] = milliseconds }
        return members
    }

    private var milliseconds: Int64? { timeout.flatMap { Duration(setting: $0) }?.wholeMilliseconds }
}

/// The answer to a change.
struct Changed: Decodable {
    struct Propagation: Decodable {
        let state: String
        let nodes: Int
        let acknowledged: Int
        let elapsedMs: Double

        /// `acknowledged by 3 of 3 nodes in 0.9 ms`, or `fenced in 1020.1 ms, acknowledged by 2 of 3 nodes`.
        var sentence: String {
            let time = String(format: "in %.1f ms", elapsedMs)
            let count = "\(acknowledged) of \(nodes) nodes"
            if nodes == 0 { return "\(state) \(time)" }
            return state == "acknowledged"
                ? "\(state) by \(count) \(time)" : "\(state) \(time), acknowledged by \(count)"
        }
    }
    let revoked: Int?
    let fence: String
    let propagation: Propagation
    let permissionsVersion: UInt64?

    /// Prints it, what `describe` adds first. Throws where it may not be everywhere yet.
    static func tell(
        _ answer: AdminClient.Answer, asJSON: Bool, _ describe: (Changed, inout Table) -> Void
    ) throws {
        let changed = try answer.decoded(as: Changed.self)
        var table = Table()
        describe(changed, &table)
        table.add("propagation", changed.propagation.sentence)
        table.add("fence", changed.fence)
        Terminal.say(asJSON ? answer.text : table.text)
        if answer.status == 202 {
            throw CommandFailure(.unavailable, "written, but not known to be everywhere yet (pending)")
        }
    }
}
