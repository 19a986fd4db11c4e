// One call of one client as the checker sees it: what was asked of which node, between which two moments, and what came of
// it. All moments are CLOCK_BOOTTIME of the test's own process, the only observer, in nanoseconds.

/// From before the request was sent until after the answer was read.
struct Interval: Sendable, Equatable {
    var began: Int64
    var ended: Int64

    func overlaps(_ other: Interval) -> Bool { began <= other.ended && other.began <= ended }
}

/// A session that was issued, with everything that a revoke can name.
struct Subject: Sendable, Equatable {
    /// What every login asks for.
    static let permissions = ["docs:read"]

    let user: String
    var device: String?
    var tenant: String?
    let issued: Interval
}

/// What a change names. Sessions go by their index in the history.
enum Target: Sendable, Equatable {
    case session(Int)
    case token(Int)
    case user(String)
    case others(user: String, kept: Int)
    case device(user: String, device: String)
    case tenant(String)
    case everyone
    /// Ends nothing: what tokens given so far may do changes.
    case permissions(user: String, names: [String] = [])
}

/// What was asked.
enum Action: Sendable, Equatable {
    /// The session that came of it, if one did.
    case issue(session: Int?)
    /// `atLeast` is the index of the operation whose fence went along; `isLast` when all faults are over and all nodes ready.
    case validate(session: Int, isStrict: Bool = false, atLeast: Int? = nil, isLast: Bool = false)
    case change(Target)
    /// By the session's own token.
    case logout(session: Int)
    /// By the session's own token, for another one.
    case renew(session: Int)

    /// What it ends, or changes.
    var target: Target? {
        switch self {
        case .change(let target): target
        case .logout(let session): .session(session)
        case .issue, .validate, .renew: nil
        }
    }
}

/// What was answered.
struct Answer: Sendable, Equatable {
    /// No answer came, although the request was sent: refused late, closed, timed out.
    static let none = Answer(status: 0)
    /// Nothing was sent: nobody listened.
    static let unreachable = Answer(status: -1)

    var status: Int
    var code: String?
    /// `published`, `acknowledged`, `fenced` or `pending`.
    var propagation: String?
    /// `permissionsVersion`, of a change or of an active answer.
    var version: Int?
    /// `permissions`, of an active answer.
    var names: [String]?

    var isActive: Bool { status == 200 }
    var isRefused: Bool { status == 401 || status == 403 }
    /// The change is written.
    var isDone: Bool { status == 200 || status == 202 }
    /// The change may be written, now or later.
    var isUncertain: Bool { status == 503 || status == 0 }
    /// Nobody serves what was revoked from now on.
    var isInForceEverywhere: Bool { isDone && (propagation == "acknowledged" || propagation == "fenced") }

    var label: String {
        switch status {
        case 0: "no answer"
        case -1: "unreachable"
        default: (["\(status)"] + [code, propagation].compactMap { $0 }).joined(separator: " ")
        }
    }
}

/// One call.
struct Operation: Sendable, Equatable {
    let node: Int
    let time: Interval
    let action: Action
    let answer: Answer
}
