// The record `{p}:s:<sid>`: a small hash with one-letter fields. Absent fields are not written.
//
//   u user  d device  k kind  p permissions (comma-separated)  v their version  t tenant  s stamp
//   c created  a last active  x expires  X ends at the latest (UNIX s)
//   I for how long it may be idle, with the slack (s)
//   n generation of the refresh token that is good  r when those before it were used first, within the grace (UNIX ms)
//   e how often N, P and j were changed since
//   o the number of the id that is good  q when it was given (UNIX ms)  G until when the one before is good (UNIX ms)
//   w what the call drew that gave it
//   N device name  P platform  i address  l location  g user agent  m auth methods (comma-separated)  j attributes (JSON)

import CurfewCore
import CurfewRedis

package enum SessionRecord {
    /// Fields and values of a new record, without the three times that the script writes.
    static func fields(of request: IssueRequest) -> [String] {
        let details = request.details
        let optional: [(String, String?)] = [
            ("d", request.device?.text), ("t", request.tenant?.text), ("N", details.deviceName),
            ("P", details.devicePlatform), ("i", details.ipAddress), ("l", details.location),
            ("g", details.userAgent),
            ("m", details.authMethods.isEmpty ? nil : details.authMethods.joined(separator: ",")),
            ("j", details.attributesJSON),
        ]
        let required = [
            "u", request.user.text, "k", request.kind.rawValue, "p",
            request.permissions.names.joined(separator: ","),
        ]
        return required + optional.flatMap { name, value in value.map { [name, $0] } ?? [] }
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
            permissions: permissions, tenant: fields["t"].flatMap { TenantID($0) }, details: details(fields),
            stamp: Stamp(stamp), createdAt: created, lastActiveAt: active, expiresAt: expires,
            idleAt: fields["I"].flatMap { Int64($0) }.map { WallTime(seconds: active.seconds + $0) },
            permissionsVersion: fields["v"].flatMap { UInt64($0) } ?? 0,
            revision: fields["e"].flatMap { UInt64($0) } ?? 0)
    }

    private static func time(_ text: String?) -> WallTime? {
        text.flatMap { Int64($0) }.map(WallTime.init(seconds:))
    }

    private static func details(_ fields: [String: String]) -> SessionDetails {
        var details = SessionDetails()
        details.deviceName = fields["N"]
        details.devicePlatform = fields["P"]
        details.ipAddress = fields["i"]
        details.location = fields["l"]
        details.userAgent = fields["g"]
        details.authMethods = fields["m"].map { $0.split(separator: ",").map(String.init) } ?? []
        details.attributesJSON = fields["j"]
        return details
    }
}
