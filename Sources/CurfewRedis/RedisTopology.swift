// What stands behind a Redis URL: one server, a primary that sentinels name, or a cluster. Checked as a whole when it is made.

/// The Redis of a cluster of nodes.
package enum RedisTopology: Sendable {
    case single(RedisAddress)
    /// Ask these for the address of the primary of this name.
    case sentinel(SentinelGroup)
    /// Ask these who has which slots.
    case cluster(ClusterSeeds)

    /// `url` and `certificateAuthorities`: see `RedisAddress.init(url:certificateAuthorities:)`. Sentinels have credentials of
    /// their own; those in the URL are for the Redis that they name.
    package init(
        url: String, certificateAuthorities: String? = nil, sentinelUser: String? = nil, sentinelPassword: String? = nil
    ) throws(RedisAddressError) {
        let parts = try RedisURL(url)
        let tls = try RedisAddress.context(for: parts, certificateAuthorities: certificateAuthorities)
        let address = { @Sendable (endpoint: RedisAddress.Endpoint) in RedisAddress(endpoint, parts, tls: tls) }
        var sentinelParts = parts
        sentinelParts.user = sentinelUser
        sentinelParts.password = sentinelPassword
        sentinelParts.database = 0
        self =
            switch parts.kind {
            case .single: .single(address(parts.endpoints[0]))
            case .sentinel(let name):
                .sentinel(
                    SentinelGroup(
                        name: name, sentinels: parts.endpoints, address: address,
                        sentinelAddress: { [sentinelParts] in RedisAddress($0, sentinelParts, tls: tls) }))
            case .cluster: .cluster(ClusterSeeds(members: parts.endpoints, address: address))
            }
    }

    /// What a URL that was accepted stands for: `single`, `sentinel` or `cluster`.
    package static func name(ofURL url: String) -> String {
        switch try? RedisURL(url).kind {
        case .sentinel: "sentinel"
        case .cluster: "cluster"
        case .single, nil: "single"
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
    /// A sentinel at this endpoint, with the sentinels' credentials and the URL's TLS.
    let sentinelAddress: @Sendable (RedisAddress.Endpoint) -> RedisAddress
}

extension SentinelGroup: CustomStringConvertible {
    /// The URL in its full form, with the password masked.
    package var description: String {
        let first = address(sentinels[0])
        let credentials = first.password.map { _ in "\(first.user ?? ""):***@" } ?? ""
        let hosts = sentinels.map(\.hostAndPort).joined(separator: ",")
        return "\(first.tls == nil ? "redis" : "rediss")+sentinel://\(credentials)\(hosts)/\(name)/\(first.database)"
    }
}

/// Members of a Redis Cluster to ask first.
package struct ClusterSeeds: Sendable {
    let members: [RedisAddress.Endpoint]
    /// A Redis at this endpoint, with the URL's credentials and TLS.
    let address: @Sendable (RedisAddress.Endpoint) -> RedisAddress
}
