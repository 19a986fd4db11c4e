// Who makes a call, as far as the connection says, and where a trusted proxy stands at its other end, as far as that says. For the
// people who read the audit log: nothing is decided by it.

import HTTPTypes
import NIOCore

/// The other side of the request that the current task answers.
struct Visitor: Sendable {
    let peer: SocketAddress?
    let fields: HTTPFields
    let trustedProxies: TrustedProxies
    /// The call is made on somebody's behalf, by who holds an API key: only what a trusted proxy forwards is about that somebody.
    var isByBackend = false

    @TaskLocal static var current: Visitor?

    /// Longest user agent that is told (bytes): as long as one that issue takes.
    static let maximumUserAgentBytes = 512

    /// As it would be written to reach it, without a port. `nil` where only a proxy is known, or the end of a local socket.
    var ipAddress: String? {
        guard trustedProxies.contains(peer) else { return isByBackend ? nil : peer?.ipAddress }
        // Each proxy adds whom it heard: from the end, the first that is no proxy of ours. What is before that anybody can write.
        let hops = fields.values("x-forwarded-for").flatMap {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        for hop in hops.reversed().map({ Self.withoutPort($0.trimmingBlanks) }) where !trustedProxies.contains(hop) {
            return NetworkAddress.bytes(of: hop) == nil ? nil : hop
        }
        return nil
    }

    /// Some proxies write the port, too: `a.b.c.d:port`, `[address]:port`.
    private static func withoutPort(_ hop: Substring) -> String {
        if hop.hasPrefix("["), let end = hop.firstIndex(of: "]") { return String(hop[..<end].dropFirst()) }
        let parts = hop.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 ? String(parts[0]) : String(hop)
    }

    /// `nil` where there is none, several, or one that is too long.
    var userAgent: String? {
        guard !isByBackend, let text = fields.values("user-agent").onlyElement, !text.isEmpty,
            text.utf8.count <= Self.maximumUserAgentBytes
        else { return nil }
        return text
    }
}
