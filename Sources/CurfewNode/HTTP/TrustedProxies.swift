// Whose word about a visitor is taken: addresses and networks (RFC 4632, RFC 4291), as text `127.0.0.0/8,::1,10.1.2.3`.

import NIOCore

/// Networks that proxies stand in.
package struct TrustedProxies: Sendable, Equatable {
    private struct Network: Sendable, Equatable {
        let bytes: [UInt8]
        let bits: Int

        func contains(_ address: [UInt8]) -> Bool {
            guard address.count == bytes.count else { return false }
            let whole = bits / 8
            guard address.prefix(whole) == bytes.prefix(whole) else { return false }
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> (bits % 8))
            return bits % 8 == 0 || address[whole] & mask == bytes[whole] & mask
        }
    }

    private var networks: [Network] = []
    static let maximumNetworks = 256
    package static let expected =
        "addresses and networks, separated by commas, such as 127.0.0.0/8,::1, at most \(maximumNetworks); or none"

    /// This machine.
    package static let loopback: TrustedProxies = {
        guard let own = TrustedProxies("127.0.0.0/8,::1") else { preconditionFailure("a literal") }
        return own
    }()

    /// `none` trusts nobody. `nil` where a part is neither an address nor a network.
    package init?(_ text: String) {
        if text == "none" { return }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard networks.count < Self.maximumNetworks, let bytes = NetworkAddress.bytes(of: String(parts[0])) else {
                return nil
            }
            var bits = bytes.count * 8
            if parts.count == 2 {
                guard let given = UInt8(parts[1]), Int(given) <= bits, String(given) == parts[1] else { return nil }
                bits = Int(given)
            }
            networks.append(Network(bytes: bytes, bits: bits))
        }
    }

    /// Whether this end of a connection is one of them. An address that is none, of a local socket, is not.
    func contains(_ peer: SocketAddress?) -> Bool {
        peer?.ipAddress.map { contains($0) } ?? false
    }

    func contains(_ address: String) -> Bool {
        guard let bytes = NetworkAddress.bytes(of: address) else { return false }
        return networks.contains { $0.contains(bytes) }
    }
}
