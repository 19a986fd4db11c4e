// The record `{p}:s:<sid>`: a small hash with one-letter fields. Absent fields are not written.
//
//   u user  d device  k kind  p permissions (comma-separated)  v their version  t tenant  s stamp  f code of the fingerprint
//   c created  a last active  x expires  X ends at the latest (UNIX s)
//   I for how long it may be idle, with the slack (s)
//   n generation of the refresh token that is good  r when those before it were used first, within the grace (UNIX ms)
//   e how often N, P and j were changed since
//   o the number of the id that is good  q when it was given (UNIX ms)  G until when the one before is good (UNIX ms)
//   w what the call drew that gave it
//   N device name  P platform  i address  l location  g user agent  m auth methods (comma-separated)  j attributes (JSON)
//
// Redis packs a hash as long as each value has at most 64 bytes (`hash-max-listpack-value`); else it takes three times as much. So
// longer texts of the last line come in pieces: `g`, `g1`, `g2` …

import CurfewCore
import CurfewRedis

package enum SessionRecord {
    /// Fields and values of a new record, without the three times that the script writes.
    static func fields(of request: IssueRequest) -> [String] {
        let details = request.details
        let optional: [(String, String?)] = [
            ("N", details.deviceName), ("P", details.devicePlatform), ("i", details.ipAddress),
            ("l", details.location), ("g", details.userAgent),
            ("m", details.authMethods.isEmpty ? nil : details.authMethods.joined(separator: ",")),
            ("j", details.attributesJSON),
        ]
        let ids = [("d", request.device?.text), ("t", request.tenant?.text), ("f", request.fingerprintCode)]
        let required = [
            "u", request.user.text, "k", request.kind.rawValue, "p",
            request.permissions.names.joined(separator: ","),
        ]
        return required + ids.flatMap { name, value in value.map { [name, $0] } ?? [] }
            + optional.flatMap { name, value in pieces(of: value, name) }
    }

    /// Fields and values of a text for people in the place of another one. An empty value takes the field away.
    static func fields(_ name: String, _ text: String?, insteadOf old: String?) -> [String] {
        let new = pieces(of: text, name)
        let left = stride(from: new.count, to: pieces(of: old, name).count, by: 2).flatMap {
            [field(name, $0 / 2), ""]
        }
        return new + left
    }

    private static let longestPiece = 64

    private static func field(_ name: String, _ number: Int) -> String { number == 0 ? name : "\(name)\(number)" }

    private static func pieces(of text: String?, _ name: String) -> [String] {
        guard let text else { return [] }
        var pieces = [""]
        for scalar in text.unicodeScalars {
            if pieces[pieces.count - 1].utf8.count + scalar.utf8.count > longestPiece { pieces.append("") }
            pieces[pieces.count - 1].unicodeScalars.append(scalar)
        }
        return pieces.enumerated().flatMap { [field(name, $0), $1] }
    }

    private static func text(_ name: String, _ fields: [String: String]) -> String? {
        guard var text = fields[name] else { return nil }
        var number = 1
        while let piece = fields[field(name, number)] {
            text += piece
            number += 1
        }
        return text
    }

    /// The view of a record as HGETALL gives it, under the login's newest id. `nil` where there is none.
    static func view(_ session: SessionID, _ value: RedisValue) throws(RedisError) -> SessionView? {
        var fields: [String: String] = [:]
        let flat = try value.array(for: "read session")
        for index in stride(from: 0, to: flat.count - 1, by: 2) {
            fields[try flat[index].text(for: "read session")] = try flat[index + 1].text(for: "read session")
        }
        guard !fields.isEmpty else { return nil }
        guard let user = fields["u"].flatMap({ UserID($0) }),
            let kind = fields["k"].flatMap(SessionKind.init(rawValue:)),
            let permissions = fields["p"].flatMap({ Permissions($0.split(separator: ",").map(String.init)) }),
            let stamp = fields["s"].flatMap({ UInt64($0) }), let created = time(fields["c"]),
            let active = time(fields["a"]), let expires = time(fields["x"])
        else { throw .unexpectedReply(operation: "read session", expected: "a session record") }
        return SessionView(
            session: session.rotated(to: fields["o"].flatMap { UInt32($0) } ?? 0), user: user,
            device: fields["d"].flatMap { DeviceID($0) }, kind: kind,
            permissions: permissions, tenant: fields["t"].flatMap { TenantID($0) }, fingerprint: fields["f"],
            details: details(fields),
            stamp: Stamp(stamp), createdAt: created, lastActiveAt: active, expiresAt: expires,
            idleAt: fields["I"].flatMap { Int64($0) }.map { WallTime(seconds: active.seconds + $0) },
            permissionsVersion: fields["v"].flatMap { UInt64($0) } ?? 0,
            refreshGeneration: fields["n"].flatMap { UInt64($0) }, revision: fields["e"].flatMap { UInt64($0) } ?? 0)
    }

    private static func time(_ text: String?) -> WallTime? {
        text.flatMap { Int64($0) }.map(WallTime.init(seconds:))
    }

    private static func details(_ fields: [String: String]) -> SessionDetails {
        var details = SessionDetails()
        details.deviceName = text("N", fields)
        details.devicePlatform = text("P", fields)
        details.ipAddress = text("i", fields)
        details.location = text("l", fields)
        details.userAgent = text("g", fields)
        details.authMethods = text("m", fields).map { $0.split(separator: ",").map(String.init) } ?? []
        details.attributesJSON = text("j", fields)
        return details
    }
}
