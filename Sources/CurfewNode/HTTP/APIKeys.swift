// Who may call the admin listener. A key is known by its SHA-256 only; it is compared with every configured one in
// constant time, so that how long an answer takes says nothing about any of them.

import CurfewCore
import Synchronization

/// The keys of both listeners; replaced as a whole when their file changes.
package final class APIKeys: Sendable {
    private let keys: Mutex<[APIKey]>

    package init(_ keys: [APIKey]) { self.keys = Mutex(keys) }

    package func replace(with keys: [APIKey]) { self.keys.withLock { $0 = keys } }

    /// Whether this is a key still, with the same roles.
    func contains(_ key: APIKey) -> Bool { keys.withLock { $0.contains(key) } }

    /// The key's owner, `nil` for an unknown key.
    func owner(of key: [UInt8]) -> APIKey? {
        let hash = sha256(key)
        var found: APIKey?
        for candidate in keys.withLock({ $0 }) where ConstantTime.areEqual(candidate.hash, hash) { found = candidate }
        return found
    }
}

extension APIKey {
    /// `admin` is every role.
    func allows(_ role: Role) -> Bool { roles.contains(role) || roles.contains(.admin) }
}
