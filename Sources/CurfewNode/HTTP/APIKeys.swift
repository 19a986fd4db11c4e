// Who may call the admin listener. A key is known by its SHA-256 only; it is compared with every configured one in
// constant time, so that how long an answer takes says nothing about any of them.

import CurfewCore

struct APIKeys: Sendable {
    private let keys: [APIKey]

    init(_ keys: [APIKey]) { self.keys = keys }

    /// The key's owner, `nil` for an unknown key.
    func owner(of key: [UInt8]) -> APIKey? {
        let hash = sha256(key)
        var found: APIKey?
        for candidate in keys where ConstantTime.areEqual(candidate.hash, hash) { found = candidate }
        return found
    }
}

extension APIKey {
    /// `admin` is every role.
    func allows(_ role: Role) -> Bool { roles.contains(role) || roles.contains(.admin) }
}
