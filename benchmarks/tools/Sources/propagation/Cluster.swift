// The nodes that are measured: one kept-alive connection to each of their listeners, and sessions to end.

import Glibc
import Wire

/// A node, as `--nodes public:admin:pid,…` names it.
struct NodeAddress {
    let publicPort: UInt16
    let adminPort: UInt16
    let pid: pid_t

    init(_ text: some StringProtocol) throws(WireError) {
        let parts = text.split(separator: ":")
        guard parts.count == 3, let publicPort = UInt16(parts[0]), let adminPort = UInt16(parts[1]),
            let pid = pid_t(parts[2])
        else { throw WireError("\(text): expected public:admin:pid") }
        (self.publicPort, self.adminPort, self.pid) = (publicPort, adminPort, pid)
    }
}

/// Both connections to one node.
struct NodeConnections {
    let open: HTTPConnection
    let admin: HTTPConnection

    init(_ address: NodeAddress) throws(WireError) {
        open = try HTTPConnection(port: address.publicPort)
        admin = try HTTPConnection(port: address.adminPort)
    }
}

/// A session that a round ends.
struct Session {
    let validate: [UInt8]
    let revoke: [UInt8]
    let fencedRevoke: [UInt8]
}

struct Cluster {
    let addresses: [NodeAddress]
    let nodes: [NodeConnections]
    private let apiKey: String

    init(_ addresses: [NodeAddress], apiKey: String) throws(WireError) {
        self.addresses = addresses
        self.apiKey = apiKey
        var nodes: [NodeConnections] = []
        for address in addresses { nodes.append(try NodeConnections(address)) }
        self.nodes = nodes
    }

    /// Sessions of users of their own, so that they spread over the partitions; issued by all nodes in turn.
    func issue(_ count: Int, prefix: String) throws -> [Session] {
        try (0..<count).map { index in
            let request = Requests.issue(user: prefix + String(1_000_000 + index), apiKey: apiKey)
            let answer = try nodes[index % nodes.count].admin.call(request).expecting(201)
            let session = try answer.text("sessionId")
            return Session(
                validate: Requests.validate(token: try answer.text("token")),
                revoke: Requests.revoke(session: session, waits: false, apiKey: apiKey),
                fencedRevoke: Requests.revoke(session: session, waits: true, apiKey: apiKey))
        }
    }

    /// Until every node says that it is ready.
    func waitUntilReady() throws {
        let deadline = ContinuousClock.now + .seconds(15)
        for (address, node) in zip(addresses, nodes) {
            while try node.open.call(Requests.ready()).status != 200 {
                guard .now < deadline else { throw WireError("port \(address.publicPort) is not ready after 15 s") }
                usleep(5_000)
            }
        }
    }

    /// How many of the nodes answer `active` for it now.
    func countActive(_ session: Session) throws -> Int {
        try nodes.count { try $0.open.call(session.validate).status == 200 }
    }
}
