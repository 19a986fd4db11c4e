// What the scripts answer, as values. A reply that is not of the expected shape is an error with the operation's name:
// it is never guessed at.

import CurfewCore
import CurfewRedis

/// Reads a reply's fields in order.
struct ReplyReader {
    let operation: String
    private var fields: ArraySlice<RedisValue>

    init(_ value: RedisValue, operation: String) throws(RedisError) {
        self.operation = operation
        fields = try value.array(for: operation)[...]
    }

    private mutating func next(_ expected: String) throws(RedisError) -> RedisValue {
        guard let value = fields.popFirst() else {
            throw .unexpectedReply(operation: operation, expected: expected)
        }
        return value
    }

    mutating func text() throws(RedisError) -> String { try next("a text").text(for: operation) }

    /// 0...Int64.max: more than that is nothing that Redis counts, and would overflow where it is added to.
    mutating func number() throws(RedisError) -> UInt64 {
        switch try next("a number") {
        case .integer(let number) where number >= 0: return UInt64(number)
        case let value:
            guard let number = UInt64(try value.text(for: operation)), number <= Int64.max else {
                throw .unexpectedReply(operation: operation, expected: "a number")
            }
            return number
        }
    }

    mutating func tag() throws(RedisError) -> EventTag {
        guard let tag = EventTag(try text()) else { throw .unexpectedReply(operation: operation, expected: "a tag") }
        return tag
    }

    mutating func position() throws(RedisError) -> LogPosition {
        LogPosition(seq: try number(), tag: try tag())
    }

    mutating func texts() throws(RedisError) -> [String] {
        var texts: [String] = []
        for value in try next("a list").array(for: operation) { texts.append(try value.text(for: operation)) }
        return texts
    }

    /// `{p}:nodes` as HGETALL gives it.
    mutating func members() throws(RedisError) -> [NodeID: MemberRecord] {
        let flat = try texts()
        var members: [NodeID: MemberRecord] = [:]
        for index in stride(from: 0, to: flat.count - 1, by: 2) {
            guard let node = NodeID(flat[index]) else { continue }
            members[node] = MemberRecord(flat[index + 1])
        }
        return members
    }
}

/// `sweep.lua`.
package struct SweepReply {
    /// Entries that went.
    package let gone: UInt64
    /// How far the forgetting clocks of all nodes came; `nil` where none ever said.
    package let past: WallTime?

    package init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "sweep")
        gone = try reader.number()
        let seconds = try reader.number()
        past = seconds == 0 ? nil : WallTime(seconds: Int64(seconds))
    }
}

/// `expire.lua`.
package struct ExpireReply {
    /// Sessions that are over and left the queue.
    package let left: UInt64
    /// How many of them were idle for too long; the rest had lived as long as they may.
    package let idle: UInt64
    /// Of the idle ones' end.
    package let events: [Event]
    /// Those that lived until now: none that was revoked, and each in one answer only.
    package let ended: [SessionID]

    package init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "expire")
        left = try reader.number()
        idle = try reader.number()
        events = try reader.texts().compactMap { Event($0) }
        ended = try reader.texts().compactMap { SessionID($0) }
    }
}

/// `open.lua`.
struct OpenReply {
    let head: LogPosition
    let incarnation: String
    let mark: Stamp
    let longestTokenLifetime: UInt64
    let time: WallTime

    init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "open")
        head = try reader.position()
        incarnation = try reader.text()
        mark = Stamp(try reader.number())
        longestTokenLifetime = try reader.number()
        time = WallTime(seconds: Int64(try reader.number()))
    }
}

/// `poll.lua`.
struct PollAnswer {
    let verdict: ChainVerdict
    let head: LogPosition
    let incarnation: String
    let mark: Stamp
    let longestTokenLifetime: Int64
    let time: WallTime
    let members: [NodeID: MemberRecord]

    init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "poll")
        guard let verdict = ChainVerdict(rawValue: try reader.text()) else {
            throw .unexpectedReply(operation: "poll", expected: "same, fork or trimmed")
        }
        self.verdict = verdict
        head = try reader.position()
        incarnation = try reader.text()
        mark = Stamp(try reader.number())
        longestTokenLifetime = Int64(try reader.number())
        time = WallTime(seconds: Int64(try reader.number()))
        _ = try reader.number()
        members = try reader.members()
    }
}

/// `revoke.lua` and `permissions.lua`.
struct ChangeReply {
    let incarnation: String
    /// The tag that the first event chained to.
    let previous: EventTag
    let head: LogPosition
    let stamp: Stamp
    let revoked: Int
    let events: [Event]
    /// What the user's index has of sessions whose records are left to delete.
    let ended: [IndexMember]
    let members: [NodeID: MemberRecord]

    init(_ value: RedisValue, operation: String) throws(RedisError) {
        var reader = try ReplyReader(value, operation: operation)
        incarnation = try reader.text()
        previous = try reader.tag()
        head = try reader.position()
        stamp = Stamp(try reader.number())
        revoked = Int(try reader.number())
        events = try reader.texts().compactMap { Event($0) }
        ended = try reader.texts().compactMap { IndexMember($0) }
        members = try reader.members()
        guard events.last?.position == head else {
            throw .unexpectedReply(operation: operation, expected: "the events that it appended")
        }
    }
}

/// `issue.lua`.
struct IssueReply {
    let incarnation: String
    let stamp: Stamp
    let issuedAt: WallTime
    /// The stamp of the user's last permission change, 0 if none is known.
    let permissionsVersion: UInt64
    /// Of the end of those that made room.
    let events: [Event]
    /// The user seems to have other sessions, none of them on this device.
    let mayBeNewDevice: Bool
    /// Of those that made room, or were replaced, the ones that had not ended before.
    let ended: [SessionID]

    /// Why there is no session.
    enum Refusal: String, Error {
        /// There are as many failed logins of the user as may be, or were.
        case locked
        /// There are as many logins of the user as may be, or were; this one is not counted.
        case limited
        /// The session was made before, or has been, and is over.
        case taken
        /// Somebody was logged out everywhere since the login was begun.
        case cutOff = "cut off"
        /// The user seems to have other sessions, and none of them on this device.
        case newDevice = "new device"
        /// The user has all the sessions that there may be.
        case full
        /// There is one that was not read.
        case changed
    }

    static func result(_ value: RedisValue) throws(RedisError) -> Result<IssueReply, Refusal> {
        if case .bytes(let bytes) = value, let refusal = Refusal(rawValue: String(decoding: bytes, as: UTF8.self)) {
            return .failure(refusal)
        }
        return .success(try IssueReply(value))
    }

    private init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "issue")
        incarnation = try reader.text()
        stamp = Stamp(try reader.number())
        issuedAt = WallTime(seconds: Int64(try reader.number()))
        permissionsVersion = (try reader.text()).split(separator: "\t").first.flatMap { UInt64($0) } ?? 0
        events = try reader.texts().compactMap { Event($0) }
        mayBeNewDevice = try reader.number() == 1
        ended = try reader.texts().compactMap { SessionID($0) }
    }
}

/// `renew.lua`.
enum RenewReply {
    /// `isAgain`: within the grace, for a use that was renewed before.
    case renewed(RenewedSession, isAgain: Bool)
    /// An old refresh token: the session is ended, by these events.
    case reused([Event])
    case refused(RefusalReason)

    init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "renew")
        let outcome = try reader.text()
        _ = try reader.text()
        switch outcome {
        case "renewed":
            let session = try RenewedSession(&reader)
            self = .renewed(session, isAgain: try reader.number() == 1)
        case "reused": self = .reused(try reader.texts().compactMap { Event($0) })
        default: self = .refused(try RefusalReason(outcome: outcome, of: "renew"))
        }
    }
}

/// `rotate.lua`.
enum RotateReply {
    /// The session under its new number, and the events of the old one's end.
    case rotated(RenewedSession, number: UInt32, [Event])
    case refused(RefusalReason)

    init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "rotate")
        let outcome = try reader.text()
        _ = try reader.text()
        guard outcome == "rotated" else {
            self = .refused(try RefusalReason(outcome: outcome, of: "rotate"))
            return
        }
        let session = try RenewedSession(&reader)
        guard let number = UInt32(exactly: try reader.number()) else {
            throw .unexpectedReply(operation: "rotate", expected: "the number of an id")
        }
        self = .rotated(session, number: number, try reader.texts().compactMap { Event($0) })
    }
}

extension RefusalReason {
    /// Why a session does not go on, in the scripts' words.
    fileprivate init(outcome: String, of operation: String) throws(RedisError) {
        switch outcome {
        case "revoked": self = .sessionRevoked
        case "expired": self = .sessionExpired
        case "superseded": self = .sessionSuperseded
        case "missing": self = .sessionNotFound
        default: throw .unexpectedReply(operation: operation, expected: "an outcome")
        }
    }
}

/// A session as its renewal or rotation left it.
struct RenewedSession {
    /// When this refresh token, the token or the id was used first.
    let renewedAt: WallTime
    /// The session's end.
    let expiresAt: WallTime
    /// Of the refresh token that is good now; 0 where the session has none.
    let generation: UInt64
    let permissions: Permissions
    let permissionsVersion: UInt64

    fileprivate init(_ reader: inout ReplyReader) throws(RedisError) {
        renewedAt = WallTime(seconds: Int64(try reader.number()))
        expiresAt = WallTime(seconds: Int64(try reader.number()))
        let names = (try reader.text()).split(separator: ",").map(String.init)
        guard let permissions = Permissions(names) else {
            throw .unexpectedReply(operation: "renew", expected: "permissions")
        }
        self.permissions = permissions
        permissionsVersion = try reader.number()
        generation = try reader.number()
    }
}

/// `read.lua`.
struct ReadReply {
    /// Why a session is over.
    enum Tombstone { case revoked, expired, superseded }

    let incarnation: String
    let time: WallTime
    let tombstone: Tombstone?
    let exists: Bool
    /// The highest cutoff that concerns the session.
    let cutoff: Stamp
    let permissionsChange: PermissionsChange?
    /// For how long an id that was replaced is good yet, from when Redis was asked; `nil` where it was not.
    let graceLeft: Duration?

    init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "read")
        incarnation = try reader.text()
        time = WallTime(seconds: Int64(try reader.number()))
        switch try reader.number() {
        case 1: tombstone = .revoked
        case 2: tombstone = .expired
        case 3: tombstone = .superseded
        default: tombstone = nil
        }
        exists = try reader.number() == 1
        var highest = Stamp.zero
        for _ in 0..<3 {
            let text = try reader.text()
            guard let stamp = text.isEmpty ? Stamp.zero : UInt64(text).map(Stamp.init) else {
                throw .unexpectedReply(operation: "read", expected: "a stamp")
            }
            highest = max(highest, stamp)
        }
        cutoff = highest
        let words = (try reader.text()).split(separator: "\t").map(String.init)
        if let first = words.first {
            guard let stamp = UInt64(first), let permissions = Permissions(Array(words.dropFirst())) else {
                throw .unexpectedReply(operation: "read", expected: "permissions")
            }
            permissionsChange = PermissionsChange(permissions: permissions, stamp: Stamp(stamp))
        } else {
            permissionsChange = nil
        }
        let left = try reader.text()
        guard let grace = left.isEmpty ? .some(nil) : Int64(left).map({ Optional(Duration.milliseconds($0)) }) else {
            throw .unexpectedReply(operation: "read", expected: "milliseconds")
        }
        graceLeft = grace
    }
}

/// `limit.lua`.
struct LimitReply {
    let isCounted: Bool
    /// Until the next call is counted; 0 where it is at once.
    let waitMilliseconds: UInt64
    let count: UInt64

    /// This is the one that reached the limit.
    var reachesLimit: Bool { isCounted && waitMilliseconds > 0 }
    /// Rounded up.
    var waitSeconds: Int64 { Int64(waitMilliseconds + 999) / 1000 }

    init(_ value: RedisValue) throws(RedisError) {
        var reader = try ReplyReader(value, operation: "limit")
        isCounted = try reader.number() == 1
        waitMilliseconds = try reader.number()
        count = try reader.number()
    }
}
