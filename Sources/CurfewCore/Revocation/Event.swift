// One entry of a partition's log, as it travels: the same text is the stream's only field and the message that
// pub/sub carries. Fields are separated by tabs, which no id or reason can contain (ids have no control characters).
//
//   seq ⇥ tag ⇥ prev ⇥ asker ⇥ until ⇥ reason ⇥ kind ⇥ arguments…
//
// A text that does not parse is never skipped: whoever reads it stays where it is, and goes stale (invariant I4).

/// 64 random bits that name one event. Two events with the same `seq` on two forks differ in their tags.
public struct EventTag: Hashable, Sendable, CustomStringConvertible {
    public let bits: UInt64

    public init(_ bits: UInt64) { self.bits = bits }

    /// 16 lower-case hexadecimal digits, nothing else.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 16, text.utf8.allSatisfy(\.isLowercaseHexDigit), let bits = UInt64(text, radix: 16)
        else { return nil }
        self.bits = bits
    }

    public var description: String {
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

extension UInt8 {
    var isLowercaseHexDigit: Bool { (48...57).contains(self) || (97...102).contains(self) }
}

/// A place in a partition's log: the number and the tag that was written under it.
public struct LogPosition: Hashable, Sendable {
    /// The log's first event, written when it is created, is 1.
    public let seq: UInt64
    public let tag: EventTag

    public init(seq: UInt64, tag: EventTag) {
        self.seq = seq
        self.tag = tag
    }
}

/// What an event changes. Every case is a join: applying it twice, late or out of order gives the same state.
public enum Change: Hashable, Sendable {
    /// These sessions are over (tombstones).
    case sessions([SessionID])
    /// These sessions are over because nobody used them (tombstones like any other, that say why).
    case expired([SessionID])
    /// This id of a session was replaced by a newer one of the same login. It may be good for so long (ms) all the same.
    case superseded(SessionID, graceMilliseconds: Int64)
    /// Tokens of this user with a smaller stamp are dead.
    case user(UserID, Stamp)
    /// Tokens of this tenant with a smaller stamp are dead (in this partition; written to all of them).
    case tenant(TenantID, Stamp)
    /// Every token with a smaller stamp is dead (in this partition; written to all of them).
    case everyone(Stamp)
    /// Tokens of this user with a smaller stamp carry these permissions instead of their own.
    case permissions(UserID, Permissions, Stamp)
    /// Nothing: a fence still needs an event to wait for.
    case nothing
}

/// One entry of a partition's log.
public struct Event: Hashable, Sendable {
    public let position: LogPosition
    /// The tag of the event before it: what chains the log.
    public let previous: EventTag
    /// The node that waits for acknowledgements, if one does.
    public let asker: NodeID?
    /// When the change may be forgotten (Redis' TIME and the longest token lifetime decided).
    public let until: WallTime
    /// Why, in the caller's words (at most 64 bytes).
    public let reason: String
    public let change: Change

    public init(
        position: LogPosition, previous: EventTag, asker: NodeID?, until: WallTime, reason: String, change: Change
    ) {
        self.position = position
        self.previous = previous
        self.asker = asker
        self.until = until
        self.reason = reason
        self.change = change
    }

    /// The most bytes an event can have: 256 session ids or 256 permissions of 128 bytes, with room to spare.
    public static let maximumBytes = 48 * 1024
}

extension Event {
    /// Reads an event's text. `nil` for anything that is not one, whole and well formed, and for a number above
    /// 2^63 − 1: no log gets that far, and there must be one after it.
    public init?(_ text: String) {
        guard text.utf8.count <= Event.maximumBytes else { return nil }
        let fields = text.split(separator: "\t", omittingEmptySubsequences: false)
        guard fields.count >= 7,
            let seq = UInt64(fields[0]), seq <= Int64.max, let tag = EventTag(fields[1]),
            let previous = EventTag(fields[2]),
            let until = Int64(fields[4]), fields[5].utf8.count <= 64,
            let change = Change(kind: fields[6], arguments: fields[7...])
        else { return nil }
        if fields[3] == "-" {
            asker = nil
        } else {
            guard let node = NodeID(fields[3]) else { return nil }
            asker = node
        }
        position = LogPosition(seq: seq, tag: tag)
        self.previous = previous
        self.until = WallTime(seconds: until)
        reason = String(fields[5])
        self.change = change
    }

    /// The text that `init(_:)` reads.
    public var text: String {
        let head = [
            String(position.seq), position.tag.description, previous.description, asker?.text ?? "-",
            String(until.seconds), reason, change.kind,
        ]
        return (head + change.arguments).joined(separator: "\t")
    }
}

extension Change {
    /// The word in the log: `sessions`, `expired`, `superseded`, `user`, `tenant`, `everyone`, `permissions` or `nothing`.
    public var kind: String {
        switch self {
        case .sessions: "sessions"
        case .expired: "expired"
        case .superseded: "superseded"
        case .user: "user"
        case .tenant: "tenant"
        case .everyone: "everyone"
        case .permissions: "permissions"
        case .nothing: "nothing"
        }
    }

    /// What follows the word in the log.
    public var arguments: [String] {
        switch self {
        case .sessions(let ids), .expired(let ids): ids.map(\.description)
        case .superseded(let id, let grace): [id.description, String(grace)]
        case .user(let user, let stamp): [user.text, String(stamp.microseconds)]
        case .tenant(let tenant, let stamp): [tenant.text, String(stamp.microseconds)]
        case .everyone(let stamp): [String(stamp.microseconds)]
        case .permissions(let user, let permissions, let stamp):
            [user.text, String(stamp.microseconds)] + permissions.names
        case .nothing: []
        }
    }

    init?(kind: Substring, arguments: ArraySlice<Substring>) {
        let arguments = Array(arguments)
        func stamp(_ index: Int) -> Stamp? { UInt64(arguments[index]).map(Stamp.init) }
        switch kind {
        case "sessions", "expired":
            let ids = arguments.compactMap { SessionID($0) }
            guard !ids.isEmpty, ids.count == arguments.count else { return nil }
            self = kind == "sessions" ? .sessions(ids) : .expired(ids)
        case "superseded":
            guard arguments.count == 2, let id = SessionID(arguments[0]), let grace = Int64(arguments[1]), grace >= 0
            else { return nil }
            self = .superseded(id, graceMilliseconds: grace)
        case "user":
            guard arguments.count == 2, let user = UserID(String(arguments[0])), let stamp = stamp(1) else {
                return nil
            }
            self = .user(user, stamp)
        case "tenant":
            guard arguments.count == 2, let tenant = TenantID(String(arguments[0])), let stamp = stamp(1)
            else { return nil }
            self = .tenant(tenant, stamp)
        case "everyone":
            guard arguments.count == 1, let stamp = stamp(0) else { return nil }
            self = .everyone(stamp)
        case "permissions":
            guard arguments.count >= 2, let user = UserID(String(arguments[0])), let stamp = stamp(1),
                let permissions = Permissions(arguments.dropFirst(2).map(String.init))
            else { return nil }
            self = .permissions(user, permissions, stamp)
        case "nothing":
            guard arguments.isEmpty else { return nil }
            self = .nothing
        default: return nil
        }
    }
}
