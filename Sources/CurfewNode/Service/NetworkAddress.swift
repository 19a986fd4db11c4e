// IP addresses as text (RFC 4291, RFC 5952), as far as they are compared.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

enum NetworkAddress {
    /// 4 or 16 bytes; an IPv4 address in an IPv6 one (`::ffff:a.b.c.d`), as sockets for both show it, is 4. `nil` for anything else.
    static func bytes(of text: String) -> [UInt8]? {
        let (family, count) = text.contains(":") ? (AF_INET6, 16) : (AF_INET, 4)
        var bytes = [UInt8](repeating: 0, count: count)
        guard inet_pton(family, text, &bytes) == 1 else { return nil }
        if count == 16, bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
            bytes.removeFirst(12)
        }
        return bytes
    }

    /// Under which name an address is counted: whoever has an IPv6 address has all of its /64. `nil` for what is no address.
    static func counted(_ text: String) -> String? {
        guard let bytes = bytes(of: text) else { return nil }
        let hex = Array("0123456789abcdef".utf8)
        let part = bytes.count == 16 ? bytes.prefix(8) : bytes[...]
        return String(decoding: part.flatMap { [hex[Int($0 >> 4)], hex[Int($0 & 15)]] }, as: UTF8.self)
    }
}
