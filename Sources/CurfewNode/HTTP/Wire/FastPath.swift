// Validate without a framework: the token is checked where it lies in the connection's buffer and the answer's bytes
// are written at once. No allocation beyond the answer's buffer, no lock but the partition's, nothing awaited.
// What it can't answer from memory (a stale partition) it leaves to the slow path.

import CurfewCore
import NIOCore
import NIOPosix

/// What the fast path of a node knows; one object for all connections.
final class FastPath: Sendable {
    let keyRing: CurrentKeyRing
    private let table: PartitionTable
    private let clock: NodeClock
    private let activity: Activity
    private let configuration: NodeConfiguration
    private let metrics: NodeMetrics

    init(
        keyRing: CurrentKeyRing, table: PartitionTable, clock: NodeClock, activity: Activity,
        configuration: NodeConfiguration,
        metrics: NodeMetrics = NodeMetrics()
    ) {
        self.keyRing = keyRing
        self.table = table
        self.clock = clock
        self.activity = activity
        self.configuration = configuration
        self.metrics = metrics
    }

    /// Answers the request whose head lies in `bytes`; `false` leaves it to the slow path. `ring`: what `keyRing` is now.
    func answer(
        _ head: RequestHead, in bytes: UnsafeRawBufferPointer, ring: KeyRing, scratch: UnsafeMutableRawBufferPointer,
        connection: AnswerBytes.Connection, into buffer: inout ByteBuffer
    ) -> Bool {
        let stripe = StripedCounter.stripe(of: scratch.baseAddress)
        guard let token = FastPath.token(of: head, in: bytes) else {
            metrics.count(RefusalReason.tokenMissing, stripe: stripe)
            FastAnswers.shared.write(.tokenMissing, connection: connection, into: &buffer)
            return true
        }
        let (now, boot) = (clock.wall(), clock.boot())
        switch ring.verdict(on: token, table: table, boot: boot, wall: now, scratch: scratch) {
        case .stale: return false
        case .refused(let refusal):
            let reason = RefusalReason(refusal)
            metrics.count(reason, stripe: stripe)
            FastAnswers.shared.write(ProblemCode(reason), connection: connection, into: &buffer)
            return true
        case .active(let token):
            guard isSameDevice(head, in: bytes, token.claims, ring: ring, scratch: scratch) else { return false }
            if !head.isNoActivity { activity.note(token.claims.session, at: boot) }
            write(token, now: now, scratch: UnsafeRawBufferPointer(scratch), connection: connection, into: &buffer)
            if metrics.countActive(stripe: stripe) { metrics.observeValidation(clock.boot() - boot) }
            return true
        }
    }

    /// `false` where it is left to the slow path to say what that means.
    private func isSameDevice(
        _ head: RequestHead, in bytes: UnsafeRawBufferPointer, _ claims: ClaimsView, ring: KeyRing,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard let code = claims.fingerprint, configuration.fingerprint != .off else { return true }
        guard let said = head.fingerprint else { return configuration.fingerprint == .checked }
        return ring.isFingerprint(
            said.bytes(in: bytes), ofCode: UnsafeRawBufferPointer(scratch).slice(code), for: claims.session)
    }

    /// The token that counts: bearer first, else the cookie.
    static func token(of head: RequestHead, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        if let authorization = head.authorization {
            let value = authorization.bytes(in: bytes)
            if let range = Credential.bearer(in: value) { return value.slice(range) }
        }
        return head.cookie?.bytes(in: bytes)
    }

    private func write(
        _ token: ActiveToken, now: WallTime, scratch: UnsafeRawBufferPointer, connection: AnswerBytes.Connection,
        into buffer: inout ByteBuffer
    ) {
        let claims = token.claims
        func write(permissions: UnsafeRawBufferPointer, version: UInt64) {
            let body = ActiveBody(
                session: scratch.slice(claims.sessionText), user: scratch.slice(claims.user),
                device: claims.plainDevice.map { scratch.slice($0) }, kind: claims.kind, permissions: permissions,
                permissionsVersion: version, issuedAt: claims.issuedAt, expiresAt: claims.expiresAt,
                shouldRefresh: configuration.settings(of: claims.kind).shouldRefresh(
                    issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, now: now),
                ageMilliseconds: token.age.wholeMilliseconds, isStale: false)
            FastAnswers.shared.write(body, connection: connection, into: &buffer)
        }
        if let change = token.permissionsChange {
            change.permissions.json.withUnsafeBytes {
                write(permissions: $0, version: change.stamp.microseconds)
            }
        } else {
            write(permissions: scratch.slice(claims.permissions), version: claims.permissionsVersion)
        }
    }
}

/// Memory for one verdict at a time, one an event loop's thread: connections of a thread never run at once.
final class VerdictScratch {
    // Safe: every thread finds the value that it put there itself, and no other.
    private nonisolated(unsafe) static let current = ThreadSpecificVariable<VerdictScratch>()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: KeyRing.scratchBytes, alignment: 16)

    private var copy: CurrentKeyRing.Copy?

    deinit { memory.deallocate() }

    /// This thread's copy of a ring.
    func keys(of current: CurrentKeyRing) -> CurrentKeyRing.Copy {
        if let copy, copy.isCurrent(of: current) { return copy }
        let copy = CurrentKeyRing.Copy(of: current)
        self.copy = copy
        return copy
    }

    /// The calling thread's own.
    static func ofThisThread() -> VerdictScratch {
        if let scratch = current.currentValue { return scratch }
        let scratch = VerdictScratch()
        current.currentValue = scratch
        return scratch
    }
}
