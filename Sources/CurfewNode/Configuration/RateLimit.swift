// How often something may happen: a count in a window, as people write it (`60/1m`). A refusal says when to come back, in the
// fields of the IETF's draft on RateLimit header fields.

/// So many calls in any window of this length.
package struct RateLimit: Sendable, Equatable {
    package let count: Int
    package let window: Duration

    /// The most calls that are counted under one key: each is a member of a set in Redis.
    package static let greatestCount = 10_000
    package static let longestWindow = Duration.seconds(86_400)

    package init(count: Int, window: Duration) {
        self.count = count
        self.window = window
    }

    /// `count/window`; `nil` for anything else, a window that is not whole seconds among it.
    package init?(setting text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int(parts[0]),
            let window = Duration(setting: parts[1]), (1...Self.greatestCount).contains(count), window.isWholeSeconds,
            window >= .seconds(1), window <= Self.longestWindow
        else { return nil }
        self.init(count: count, window: window)
    }
}

/// A call past its limit.
package struct RateLimitExcess: Error, Sendable, Equatable {
    /// Of the policy, in the answer's fields.
    package enum Policy: String, Sendable {
        case issue, refresh
        /// Failed logins of a user, and from an address: the login that is refused may be a good one.
        case failuresOfUser = "authentication-failures-user"
        case failuresFromAddress = "authentication-failures-address"
    }

    package let policy: Policy
    package let limit: RateLimit
    /// Until the next call may be made, rounded up.
    package let retryAfterSeconds: Int64

    var fields: [(name: String, value: String)] {
        [
            ("Retry-After", String(retryAfterSeconds)),
            ("RateLimit-Policy", "\"\(policy.rawValue)\";q=\(limit.count);w=\(limit.window.components.seconds)"),
            ("RateLimit", "\"\(policy.rawValue)\";r=0;t=\(retryAfterSeconds)"),
        ]
    }
}
