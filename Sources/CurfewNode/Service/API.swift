// What the HTTP layer asks of a node, as values: one request type and one answer type a verb, and the one error that
// all verbs share. Nothing here knows HTTP; nothing here holds a secret but the token in an answer to issue.

import CurfewCore

/// A session to be issued. Only `user` has no default.
package struct IssueRequest: Sendable {
    package var user: UserID
    package var device: DeviceID?
    package var kind = SessionKind.web
    package var permissions = Permissions.none
    package var tenant: TenantID?
    /// What the device says of itself, at most 256 bytes; never kept.
    package var fingerprint: String?
    /// Its code, which is.
    package var fingerprintCode: String?
    /// A login state, which is consumed.
    package var state: String?
    /// The browser's former session, which ends for this one.
    package var replaces: ReplacedSession?
    /// It may begin although the user, or the address, had too many failed logins.
    package var isAfterLockout = false
    /// The session's number where the call may be repeated: the same for each attempt.
    package var drawn: (high: UInt64, low: UInt64)?
    /// The descriptive fields, kept in the record as they came (each bounded by the HTTP layer).
    package var details = SessionDetails()

    package init(user: UserID) { self.user = user }
}

/// A former session, by what a browser still has of it.
package enum ReplacedSession: Sendable, Equatable {
    case session(SessionID)
    /// One that no node has signed names no session, and is passed over.
    case token(String)
}

/// What is new with another id of a session.
package struct RotateRequest: Sendable {
    /// How long the id before is good; `nil` for what is configured.
    package var grace: Duration?
    /// When the user proved again who it is: the absolute lifetime counts anew since then.
    package var authenticatedAt: WallTime?
    /// Instead of those that it has.
    package var permissions: Permissions?
    /// Instead of those that it has.
    package var authMethods: [String]?
    /// By the call's first attempt, where it may be repeated.
    package var drawn: UInt64?

    package init() {}
}

/// What a person sees of a session in an inventory; none of it takes part in validation.
package struct SessionDetails: Sendable, Equatable {
    /// `device.name` and `device.platform`: at most 128 bytes each.
    package var deviceName: String?
    package var devicePlatform: String?
    /// At most 64 bytes.
    package var ipAddress: String?
    /// At most 128 bytes.
    package var location: String?
    /// At most 512 bytes.
    package var userAgent: String?
    /// RFC 8176 names, at most 16 of 32 bytes.
    package var authMethods: [String] = []
    /// A JSON object's text, at most 4 KiB.
    package var attributesJSON: String?

    package init() {}
}

/// A session just issued, with its token.
package struct IssuedSession: Sendable {
    package var session: SessionID
    package var user: UserID
    package var device: DeviceID?
    package var kind: SessionKind
    /// Compact JWT, ASCII.
    package var token: String
    package var issuedAt: WallTime
    /// The token's end.
    package var expiresAt: WallTime
    /// The session's end, unless renewed.
    package var sessionExpiresAt: WallTime
    /// Of kind `api`.
    package var refreshToken: String?
}

/// What a session is renewed by.
package enum RefreshCredential: Sendable {
    /// Of kind `api`.
    case refreshToken(String)
    /// The session's own token, of the other kinds.
    case token([UInt8])
}

/// How an answer to validate may be given.
package struct ValidateOptions: Sendable {
    /// `Curfew-At-Least`: answer only from a state that has these events.
    package var atLeast: [FenceToken] = []
    /// `Curfew-Consistency: strict`: read Redis, the record must exist.
    package var isStrict = false
    /// An active answer says that the session was used (not so with `Curfew-Activity: none`).
    package var countsAsActivity = false
    package var fingerprint = PresentedFingerprint.notAsked

    package init() {}
}

/// A session that is active, in the words of the `validate` answer.
package struct ActiveSession: Sendable, Equatable {
    package var session: SessionID
    package var user: UserID
    package var device: DeviceID?
    package var kind: SessionKind
    package var permissions: Permissions
    package var permissionsVersion: UInt64
    package var issuedAt: WallTime
    package var expiresAt: WallTime
    /// Past the renewal point.
    package var shouldRefresh: Bool
    /// How old the revocation state behind this answer may be, in ms.
    package var ageMilliseconds: Int64
    /// Served past Δ under `--on-stale grace`: the answer carries `"stale":true`.
    package var isStale: Bool
}

/// Why a session is not active, or can't be told to be.
package enum ValidateResult: Sendable {
    case active(ActiveSession)
    /// 401, or 403 for another device.
    case refused(RefusalReason)
}

/// The 401 reasons of validate, each with its stable `code`.
package enum RefusalReason: String, CaseIterable, Sendable {
    case tokenMissing = "token_missing"
    case tokenMalformed = "token_malformed"
    case tokenSignatureInvalid = "token_signature_invalid"
    case tokenExpired = "token_expired"
    case sessionRevoked = "session_revoked"
    /// Idle or over age.
    case sessionExpired = "session_expired"
    case sessionNotFound = "session_not_found"
    case refreshTokenReused = "refresh_token_reused"
    /// It has a newer id.
    case sessionSuperseded = "session_superseded"
    /// 403: the token is good, but not on this device.
    case deviceMismatch = "device_mismatch"
}

/// What a revoke ends: exactly one target.
package enum RevokeTarget: Sendable, Equatable {
    case session(SessionID)
    /// A token's own session. The token must carry a valid signature; an expired one is fine.
    case token(String)
    case user(UserID)
    case userExcept(UserID, SessionID)
    case device(UserID, DeviceID)
    case tenant(TenantID)
    case everyone
}

/// How long a change waits before it answers.
package struct ChangeOptions: Sendable {
    /// `wait: "cluster"`: until every node enforces it.
    package var waitsForCluster = false
    /// `timeoutMs`; without one, as long as the fence can take.
    package var timeoutMilliseconds: Int64?
    /// `durability: "replica"`: until a replica has it.
    package var waitsForReplica = false
    /// Free text, at most 64 bytes without control characters.
    package var reason = "admin"

    package init() {}
}

/// The answer to revoke, and to a change of permissions.
package struct ChangeAnswer: Sendable {
    /// Live sessions that it ended; `nil` where they are not counted (tenant, everyone).
    package var revoked: Int?
    package var fence: [FenceToken]
    package var propagation: PropagationState
    /// Nodes that were waited for, and those of them that had applied it.
    package var nodes: Int
    package var acknowledged: Int
    package var elapsedMilliseconds: Double
    /// How many replicas took it, where asked.
    package var replicas: Int?
    /// Where permissions changed.
    package var permissionsVersion: UInt64?
    /// 202 instead of 200.
    package var isPending: Bool { propagation == .pending || replicas == 0 }
}

/// How far a change is known to have come.
package enum PropagationState: String, Sendable {
    case published, acknowledged, fenced, pending
}

/// A place in a partition's log that a caller can hand to any node: `<p>-<seq>-<tag>`.
package struct FenceToken: Hashable, Sendable, CustomStringConvertible {
    package let partition: Partition
    package let position: LogPosition

    package init(partition: Partition, position: LogPosition) {
        self.partition = partition
        self.position = position
    }

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let index = UInt16(parts[0]), index < 1024, let seq = UInt64(parts[1]),
            let tag = EventTag(parts[2]), String(index) == parts[0], String(seq) == parts[1]
        else { return nil }
        partition = Partition(index)
        position = LogPosition(seq: seq, tag: tag)
    }

    package var description: String { "\(partition.index)-\(position.seq)-\(position.tag)" }
}

/// A session in an inventory, or in full.
package struct SessionView: Sendable {
    package var session: SessionID
    package var user: UserID
    package var device: DeviceID?
    package var kind: SessionKind
    package var permissions: Permissions
    package var tenant: TenantID?
    /// Of its fingerprint, the code.
    package var fingerprint: String?
    package var details: SessionDetails
    /// Of its token: cutoffs above it end the session.
    package var stamp: Stamp
    package var createdAt: WallTime
    package var lastActiveAt: WallTime
    package var expiresAt: WallTime
    /// When it ends unless it is used; `nil` where it may be idle for ever.
    package var idleAt: WallTime?
    /// Of the permissions as the record has them.
    package var permissionsVersion: UInt64
    /// Of the refresh token that is good; `nil` where it has none.
    package var refreshGeneration: UInt64?
    /// How often its details were changed.
    package var revision: UInt64
}

extension SessionView {
    /// Whether it is over age, or was not used for too long, whatever else ended it.
    func isOver(at now: WallTime) -> Bool { expiresAt <= now || idleAt.map { $0 <= now } ?? false }

    /// What a script needs that is to renew or rotate it, by the id that the caller knows.
    func living(as id: SessionID) -> LivingSession {
        LivingSession(session: id, user: user, device: device, tenant: tenant)
    }
}

/// One page of a user's sessions, newest activity first.
package struct SessionPage: Sendable {
    package var sessions: [SessionView]
    /// Opaque; `nil` on the last page.
    package var nextCursor: String?
}

/// `GET /v1/cluster`.
package struct ClusterView: Sendable {
    package struct Node: Sendable {
        package var id: String
        /// This node itself.
        package var isSelf: Bool
        /// Partitions in which its counter moved within Δ and a margin.
        package var livePartitions: Int
        /// Events that it is behind the head, at worst.
        package var lag: UInt64
        /// Runs with `--on-stale grace`.
        package var servesStale: Bool
    }
    package struct PartitionView: Sendable {
        package var partition: Partition
        package var seq: UInt64
        package var head: UInt64
        package var isFresh: Bool
        /// `nil` when it never was fresh.
        package var ageMilliseconds: Int64?
        /// Why it is not fresh, in words.
        package var detail: String?
        package var tombstones: Int
        package var phase: String
    }
    /// One Redis primary.
    package struct PrimaryView: Sendable {
        package var address: String
        package var isConnected: Bool
        package var role: String
        package var version: String
        package var partitions: [Partition]
    }
    package var nodeID: String
    package var version: String
    package var nodes: [Node]
    package var partitions: [PartitionView]
    package var redisAddress: String
    package var redisRole: String
    package var redisVersion: String
    package var topology: String
    /// Those that have a partition.
    package var primaries: [PrimaryView]
    package var isConnected: Bool
    /// What this topology can't exclude, in sentences.
    package var warnings: [String]
    package var stalenessBoundMilliseconds: Int64
}

/// `GET /health/ready`: whether every partition is fresh, and if not, which and why.
package struct Readiness: Sendable {
    package var isReady: Bool
    package var detail: String
}

/// What any verb can fail with. Never carries a token or another user's data.
package enum ServiceError: Error, Sendable, Equatable {
    /// 503 `revocation_state_stale`: the freshness can't be proved; `detail` says why.
    case stale(detail: String)
    /// 503 `redis_unavailable`: no answer within the deadline; a write's outcome is unknown.
    case redisUnavailable(detail: String)
    /// 503 `overloaded`: a bounded queue is full.
    case overloaded(detail: String)
    /// 404 `not_found`.
    case notFound(detail: String)
    /// 412 `precondition_failed`.
    case preconditionFailed
    /// 409 `conflict`.
    case conflict(detail: String)
    /// 409 `session_limit_reached`.
    case sessionLimitReached
    /// 429 `rate_limited`; nothing was done.
    case rateLimited(RateLimitExcess)
    /// 401 or 400 where a token in a body is not one: `token_malformed`, `token_signature_invalid`.
    case tokenRefused(RefusalReason)
    /// 400 `value_out_of_range`.
    case outOfRange(detail: String)
    /// 400 `malformed_request`.
    case malformed(detail: String)
}
