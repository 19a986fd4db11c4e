// Addresses to listen on, as text: `127.0.0.1:8080`, `0.0.0.0:80`, `[::1]:8080`, `localhost:8080`.

extension ListenAddress: CustomStringConvertible {
    /// `host:port`, an IPv6 host in brackets. `nil` where either is missing or the port is not 0…65535.
    package init?(setting text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
            return nil
        }
        self.init(host: String(host), port: Int(port))
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Every address of the machine.
    var isWildcard: Bool { host == "0.0.0.0" || host == "::" || host == "*" }

    /// Whether both can't be bound. Port 0 never collides.
    func collides(with other: ListenAddress) -> Bool {
        port != 0 && port == other.port && (host == other.host || isWildcard || other.isWildcard)
    }
}
