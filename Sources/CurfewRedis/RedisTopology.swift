// What stands behind a Redis URL: one server, a primary that sentinels name, or a cluster. Checked as a whole when it is made.

/// The Redis of a cluster of nodes.
package enum RedisTopology: Sendable {
    case single(RedisAddress)
    /// Ask these for the address of the primary of this name.
    case sentinel(SentinelGroup)
    /// Ask these who has which slots.
    case cluster(ClusterSeeds)

    /// - Parameters: see `RedisAddress.init(url:certificateAuthorities:)`.
    package init(url: String, certificateAuthorities: String? = nil) throws(RedisAddressError) {
        let parts = try RedisURL(url)
        let tls = try RedisAddress.context(for: parts, certificateAuthorities: certificateAuthorities)
        let address = { @Sendable (endpoint: RedisAddress.Endpoint) in RedisAddress(endpoint, parts, tls: tls) }
        self =
            switch parts.kind {
            case .single: .single(address(parts.endpoints[0]))
            case .sentinel(let name):
                .sentinel(SentinelGroup(name: name, sentinels: parts.endpoints, address: address))
            case .cluster: .cluster(ClusterSeeds(members: parts.endpoints, address: address))
            }
    }
}

extension RedisTopology {
    /// What stands behind a URL, in a word.
    package var name: String {
        switch self {
        case .single: "single"
        case .sentinel: "sentinel"
        case .cluster: "cluster"
        }
    }
}

/// Sentinels that watch a primary.
package struct SentinelGroup: Sendable {
    /// What the primary is called in their configuration.
    package let name: String
    let sentinels: [RedisAddress.Endpoint]
    /// A Redis at this endpoint, with the URL's credentials, database and TLS.
    let address: @Sendable (RedisAddress.Endpoint) -> RedisAddress
}

/// Members of a Redis Cluster to ask first.
package struct ClusterSeeds: Sendable {
    let members: [RedisAddress.Endpoint]
    /// A Redis at this endpoint, with the URL's credentials and TLS.
    let address: @Sendable (RedisAddress.Endpoint) -> RedisAddress
}
