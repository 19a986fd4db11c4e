// What a member of a Redis Cluster answers where it can't run a command now. All of it is said before anything of the
// command is run: a call that was answered so had no effect, and may be sent again.

/// Why a command was not run.
package enum Redirect: Sendable, Equatable {
    /// The slot is at another member. `nil`: on the same host, as a member says that does not know the other's name.
    case moved(slot: Int, host: String?, port: Int)
    /// The slot is on the move, and what the command names is at its target, or nowhere.
    case ask(slot: Int, host: String?, port: Int)
    /// The slot is on the move, and a part of what the command names has arrived.
    case tryAgain
    /// Nobody has the slot, or too few members are left.
    case clusterDown

    /// `nil` where the text of an error reply says something else.
    package init?(_ message: String) {
        let words = message.split(separator: " ")
        switch words.first {
        case "MOVED":
            guard let (slot, host, port) = Self.place(words) else { return nil }
            self = .moved(slot: slot, host: host, port: port)
        case "ASK":
            guard let (slot, host, port) = Self.place(words) else { return nil }
            self = .ask(slot: slot, host: host, port: port)
        case "TRYAGAIN": self = .tryAgain
        case "CLUSTERDOWN": self = .clusterDown
        default: return nil
        }
    }

    package init?(_ error: RedisError) {
        guard case .server(_, let message) = error else { return nil }
        self.init(message)
    }

    private static func place(_ words: [Substring]) -> (slot: Int, host: String?, port: Int)? {
        guard words.count == 3, let slot = Int(words[1]), (0..<SlotMap.slotCount).contains(slot),
            let colon = words[2].lastIndex(of: ":"), let port = Int(words[2][words[2].index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        let host = words[2][..<colon]
        return (slot, host.isEmpty ? nil : String(host), port)
    }
}
