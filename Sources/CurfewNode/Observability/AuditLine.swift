// An entry as one line of JSON: an object without a line break inside, at most so many bytes, whatever a client calls itself.

import CurfewCore

extension AuditEntry {
    /// With its line feed; what a pipe takes as a whole (`PIPE_BUF`).
    static let maximumLineBytes = 4_096

    /// Members that are not known are left out; what would make the line too long is left out, too: the user agent first.
    var line: [UInt8] {
        for omitted in [[], ["userAgent"], ["userAgent", "ipAddress", "reason"]] {
            let line = line(without: omitted)
            if line.count <= Self.maximumLineBytes { return line }
        }
        preconditionFailure("ids have at most 128 bytes")
    }

    private func line(without omitted: [String]) -> [UInt8] {
        let members: [(name: String, value: String?)] = [
            ("event", event.rawValue), ("timestamp", timestamp.rfc3339), ("userId", user?.text),
            ("sessionId", session?.description), ("ipAddress", ipAddress), ("userAgent", userAgent),
            ("deviceId", device?.text), ("tenantId", tenant?.text), ("scope", scope), ("reason", reason),
            ("signal", signal?.rawValue), ("traceId", traceID),
        ]
        var writer = JSONWriter()
        writer.object { writer in
            for member in members where !omitted.contains(member.name) {
                if let value = member.value { writer.member(member.name, value) }
            }
        }
        return Self.withoutHiddenCharacters(writer.bytes) + [.lineFeed]
    }

    /// JSON lets these stand as they are; terminals and viewers take them for line breaks, commands or another direction of reading:
    /// DEL, C1, the separators of lines and paragraphs, and what turns text around (Unicode UAX 9). Outside strings there are none.
    private static func withoutHiddenCharacters(_ json: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(json.count)
        for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 0x7F...0x9F, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF:
                let digits = String(scalar.value, radix: 16)
                bytes.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
            case _: bytes.append(contentsOf: scalar.utf8)
            }
        }
        return bytes
    }
}
