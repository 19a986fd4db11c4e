// A member of a Redis Cluster by its address, which is all that clients ever call it by, and how it is reached: with the
// credentials and the TLS of the URL that named the first ones.

import NIOCore

/// Where one member of a Redis Cluster is.
package struct ClusterMember: Hashable, Sendable {
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

extension ClusterMember: Comparable {
    package static func < (one: ClusterMember, other: ClusterMember) -> Bool {
        (one.host, one.port) < (other.host, other.port)
    }
}

extension ClusterMember: CustomStringConvertible {
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension ClusterSeeds {
    /// Those that the URL names.
    package var named: [ClusterMember] {
        members.compactMap { endpoint in
            switch endpoint {
            case .tcp(let host, let port): ClusterMember(host: host, port: port)
            case .unix: nil
            }
        }
    }

    package func transport(to member: ClusterMember, eventLoop: any EventLoop, limits: RedisLimits) -> Connector {
        Connector(
            address: address(.tcp(host: member.host, port: member.port)), eventLoop: eventLoop, limits: limits)
    }
}
