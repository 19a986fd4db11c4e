// What the clients did, in true time: sessions, changes, and what was answered. The checker judges by this and by what Redis really
// executed, never by what a node believes.

import CurfewCore
import CurfewNode
import CurfewRedis

/// A session that a client holds a token of.
// `@unchecked Sendable`: one thread runs the whole simulation.
final class TrackedSession: @unchecked Sendable {
    let number: Int
    /// The first that it had.
    let id: SessionID
    let user: UserID
    let device: DeviceID?
    let tenant: TenantID?
    /// The newest that a client holds, and all of them.
    private(set) var token: [UInt8]
    private(set) var tokens: Set<[UInt8]>
    private(set) var claims: Claims
    private(set) var refreshTokens: [String]
    /// What its tokens carried.
    private(set) var grants: Set<Grant>
    /// By id: when a client asked for the one after it.
    private(set) var rotations: [SessionID: Rotation] = [:]
    /// Of ids that were replaced.
    private(set) var oldTokens: [(token: [UInt8], claims: Claims)] = []
    /// An old refresh token was used again: a thief.
    var isStolen = false
    /// When it was used last: issued, renewed, or validated by who says so.
    private(set) var usedAt: Int64
    /// For how long nobody had used it before somebody did.
    private(set) var longestPause: Int64 = 0
    /// Nobody used it, and somebody was told that it ended for that.
    var isIdle = false
    /// By refresh token: from when to when it may have been used, if more than once.
    private var uses: [String: Uses] = [:]

    private struct Uses {
        let began: Int64
        var count = 0
        var underWay = 0
        var ended: Int64 = 0
    }
    struct Rotation {
        /// When an answer came, how long the old id was to be good, and in which term it was replaced.
        var answeredAt: Int64?
        var grace: Int64 = 0
        var term: Int?
    }
    /// The session's own end.
    private(set) var endsAt: WallTime
    /// Before any renewal.
    let firstEndsAt: WallTime
    /// When it was asked for, and when the answer left the node.
    let askedAt: Int64
    let issuedAt: Int64
    /// In which term Redis made it.
    let term: Int

    init(number: Int, issued: IssuedSession, claims: Claims, askedAt: Int64, issuedAt: Int64, term: Int) {
        self.number = number
        id = issued.session
        user = issued.user
        device = issued.device
        tenant = claims.tenant
        token = Array(issued.token.utf8)
        tokens = [token]
        refreshTokens = issued.refreshToken.map { [$0] } ?? []
        self.claims = claims
        grants = [claims.grant]
        (endsAt, firstEndsAt) = (issued.sessionExpiresAt, issued.sessionExpiresAt)
        self.askedAt = askedAt
        self.issuedAt = issuedAt
        usedAt = askedAt
        self.term = term
    }

    func isUsed(at moment: Int64) {
        longestPause = max(longestPause, moment - usedAt)
        usedAt = max(usedAt, moment)
    }

    var partition: Partition { id.partition }

    func uses(_ refreshToken: String, at now: Int64) {
        uses[refreshToken, default: Uses(began: now)].count += 1
        uses[refreshToken]?.underWay += 1
    }

    /// Not where its outcome is unknown: that one may still be under way.
    func used(_ refreshToken: String, at now: Int64) {
        uses[refreshToken]?.underWay -= 1
        uses[refreshToken]?.ended = now
    }

    /// Whether a refresh token may have been used twice with the grace between, by a Redis clock that was stepped at this moment.
    func mayBeReused(at now: Int64, grace: Int64, clockSteppedAt: Int64) -> Bool {
        isStolen
            || uses.values.contains { uses in
                guard uses.count > 1 else { return false }
                return uses.began < clockSteppedAt || (uses.underWay > 0 ? now : uses.ended) - uses.began >= grace
            }
    }

    /// By the same id or by a newer one; a renewal that a rotation overtook is of an older one.
    func renewed(_ issued: IssuedSession, _ claims: Claims) {
        let renewed = Array(issued.token.utf8)
        tokens.insert(renewed)
        grants.insert(claims.grant)
        endsAt = max(endsAt, issued.sessionExpiresAt)
        guard claims.session.rotation >= self.claims.session.rotation else {
            oldTokens.append((renewed, claims))
            return
        }
        if claims.session != self.claims.session { oldTokens.append((token, self.claims)) }
        token = renewed
        if let refreshToken = issued.refreshToken { refreshTokens.append(refreshToken) }
        self.claims = claims
    }

    func asksForRotation(of id: SessionID) {
        if rotations[id] == nil { rotations[id] = Rotation() }
    }

    func rotated(_ id: SessionID, grace: Int64, term: Int?, at now: Int64) {
        guard rotations[id]?.answeredAt == nil else { return }
        rotations[id] = Rotation(answeredAt: now, grace: grace, term: term)
    }

    /// The client does not know its newest id: the answer that said it was lost.
    var isLost: Bool { rotations[claims.session] != nil }
}

/// A revoke or a change of permissions.
// `@unchecked Sendable`: one thread runs the whole simulation.
final class TrackedChange: @unchecked Sendable {
    enum Kind: Sendable {
        case revoke(RevokeTarget)
        case permissions(UserID, Permissions)
    }

    let number: Int
    let kind: Kind
    let askedAt: Int64
    let waitsForCluster: Bool
    /// Where it names a token: whose it is.
    let tokensSession: Int?
    /// When the answer left the node; `nil` while it is out, or where the outcome is unknown.
    var answeredAt: Int64?
    var propagation: PropagationState?
    /// What `Curfew-At-Least` asks for.
    var fence: [FenceToken] = []
    /// For permissions: the stamp that it got.
    var version: UInt64?
    /// By partition: in which term its script ran, and the sessions that its event names.
    var written: [Partition: Written] = [:]

    struct Written {
        var term: Int
        var at: Int64
        var sessions: Set<SessionID>
        /// Tokens with a smaller one are over, or carry other permissions; zero where it names sessions.
        var stamp: Stamp
        /// Those that the users' indexes named when the term began.
        var indexed: Set<Int>
        /// What its Redis' clock showed.
        var clockSeconds: Int64
        /// The highest stamp that its Redis began with, or that a node brought before.
        var mark: UInt64
        /// Whether no node can have followed the term for long enough to give cutoffs by its clock.
        var isTermYoung: Bool
        /// The latest that any Redis' clock had shown by then.
        var latestClockSeconds: Int64
    }

    init(number: Int, kind: Kind, askedAt: Int64, waitsForCluster: Bool, tokensSession: Int?) {
        self.number = number
        self.tokensSession = tokensSession
        self.kind = kind
        self.askedAt = askedAt
        self.waitsForCluster = waitsForCluster
    }

    /// After this moment no answer may begin that contradicts it: at once where it was fenced, else after Δ.
    func bindsFrom(bound: Int64) -> Int64? {
        guard let answeredAt else { return nil }
        switch propagation {
        case .acknowledged, .fenced: return answeredAt
        case .published, .pending: return answeredAt + bound
        case nil: return nil
        }
    }

    /// Whether it certainly ends this session: it was asked for after the session's token was in its client's hands.
    func ends(_ session: TrackedSession) -> Bool {
        guard case .revoke(let target) = kind, session.issuedAt < askedAt else { return false }
        if target.isCutoff, !reaches(session) { return false }
        switch target {
        case .session(let id): return id.family == session.id
        case .token: return tokensSession == session.number
        case .user(let user): return user == session.user
        case .tenant(let tenant): return tenant == session.tenant
        case .everyone: return true
        case .device(let user, let device): return user == session.user && device == session.device && names(session)
        case .userExcept(let user, let id): return user == session.user && id.family != session.id && names(session)
        }
    }

    /// Where Redis lost the mark, living nodes bring it back. Until they have, a cutoff reaches the skew bound ahead of Redis' clock in a
    /// term's first 90 s and no further, then just to that clock: a stamp that another Redis gave by a clock further ahead may be above
    /// it (docs/verification.md, "Not promised").
    func reaches(_ session: TrackedSession) -> Bool {
        guard let written = written[session.partition], written.term != session.term else { return true }
        let stamp = session.claims.stamp.microseconds
        if written.mark >= stamp { return true }
        return Int64(stamp / 1_000_000) < written.clockSeconds + (written.isTermYoung ? 30 : 0)
    }

    /// Whether it gives the user these permissions under the version of the other change, by a stamp that another term's Redis gave. One of the
    /// two had lost the mark then, above which every stamp is given, and the skew bound did not make up for its clock
    /// (docs/verification.md, "Not promised").
    func gives(_ permissions: Permissions, for other: TrackedChange, in partition: Partition) -> Bool {
        guard case .permissions(let user, permissions) = kind, case .permissions(user, _) = other.kind,
            let written = written[partition], let others = other.written[partition]
        else { return false }
        return written.stamp == others.stamp && written.term != others.term
    }

    /// By device, and all but one: those that the user's index names. An index that Redis lost names nobody, nor one that Redis
    /// let go because its clock was ahead of the session's end.
    private func names(_ session: TrackedSession) -> Bool {
        guard let written = written[session.partition] else { return false }
        let isIndexed =
            (written.term == session.term || written.indexed.contains(session.number))
            && written.latestClockSeconds < session.endsAt.seconds
        return written.sessions.contains(session.id) || isIndexed
    }

    /// Whether an answer about this session shows whether it is in force.
    func concerns(_ session: TrackedSession) -> Bool {
        if case .permissions(let user, _) = kind { return user == session.user && session.issuedAt < askedAt }
        return ends(session)
    }

    /// Whether it may have anything to do with this session, whatever became of it.
    func mayEnd(_ session: TrackedSession, whenever: Bool = false) -> Bool {
        guard case .revoke(let target) = kind else { return false }
        if !whenever, let answeredAt, session.askedAt > answeredAt, target.isCutoff { return false }
        switch target {
        case .session(let id): return id.family == session.id
        case .token: return tokensSession == session.number
        case .user(let user): return user == session.user
        case .device(let user, let device): return user == session.user && device == session.device
        case .userExcept(let user, let id): return user == session.user && id.family != session.id
        case .tenant(let tenant): return tenant == session.tenant
        case .everyone: return true
        }
    }

    /// Whether its event, as Redis logged it, ends this session. A cutoff ends logins before it. Those after it only where they were made
    /// by a later term's Redis before that knew the cutoff, which lies ahead of its clock (docs/verification.md, "Not promised").
    /// `known`: since when the Redis that made the session had something in its log that ends it.
    func hasEnded(_ session: TrackedSession, known: Int64?) -> Bool {
        guard case .revoke(let target) = kind, let written = written[session.partition] else { return false }
        guard target.isCutoff else { return written.sessions.contains(session.id) }
        guard session.claims.stamp < written.stamp, mayEnd(session, whenever: true) else { return false }
        return session.askedAt <= written.at || (session.term > written.term && session.askedAt <= known ?? .max)
    }
}

extension RevokeTarget {
    var isCutoff: Bool {
        switch self {
        case .user, .tenant, .everyone: true
        case .session, .token, .device, .userExcept: false
        }
    }
}

/// A promise that was broken.
struct Violation: Error, CustomStringConvertible {
    let invariant: String
    let detail: String

    var description: String { "\(invariant): \(detail)" }
}
