// Validate without a framework: the token is checked where it lies in the connection's buffer and the answer's bytes
// are written at once. No allocation beyond the answer's buffer, no lock but the partition's, nothing awaited.
// What it can't answer from memory (a stale partition) it leaves to the slow path.

import CurfewCore
import NIOCore
import NIOPosix

/// What the fast path of a node knows; one for all connections.
struct FastPath: Sendable {
    let keyRing: KeyRing
    let table: PartitionTable
    let boot: @Sendable () -> BootTime
    let wall: @Sendable () -> WallTime
    /// Renewal points, by kind.
    let web: KindSettings
    let remember: KindSettings
    let api: KindSettings

    /// Answers the request whose head lies in `bytes`; `false` leaves it to the slow path.
    func answer(
        _ head: RequestHead, in bytes: UnsafeRawBufferPointer, scratch: UnsafeMutableRawBufferPointer,
        connection: AnswerBytes.Connection, into buffer: inout ByteBuffer
    ) -> Bool {
        guard let token = FastPath.token(of: head, in: bytes) else {
            FastAnswers.shared.write(.tokenMissing, connection: connection, into: &buffer)
            return true
        }
        let now = wall()
        switch keyRing.verdict(on: token, table: table, boot: boot(), wall: now, scratch: scratch) {
        case .stale: return false
        case .refused(let refusal):
            FastAnswers.shared.write(ProblemCode(refusal), connection: connection, into: &buffer)
            return true
        case .active(let token):
            write(token, now: now, scratch: UnsafeRawBufferPointer(scratch), connection: connection, into: &buffer)
            return true
        }
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
                session: claims.session, user: scratch.slice(claims.user),
                device: claims.plainDevice.map { scratch.slice($0) }, kind: claims.kind, permissions: permissions,
                permissionsVersion: version, issuedAt: claims.issuedAt, expiresAt: claims.expiresAt,
                shouldRefresh: settings(of: claims.kind).isPastRenewal(
                    issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, now: now),
                ageMilliseconds: token.age.wholeNanoseconds / 1_000_000, isStale: false)
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

    private func settings(of kind: SessionKind) -> KindSettings {
        switch kind {
        case .web: web
        case .remember: remember
        case .api: api
        }
    }
}

extension KindSettings {
    /// Past the renewal point of a token with this life. Both paths decide `refresh` here.
    package func isPastRenewal(issuedAt: WallTime, expiresAt: WallTime, now: WallTime) -> Bool {
        Double(now.seconds - issuedAt.seconds) >= renewAfter * Double(expiresAt.seconds - issuedAt.seconds)
    }
}

extension ProblemCode {
    init(_ refusal: TokenRefusal) {
        switch refusal {
        case .malformed: self = .tokenMalformed
        case .signatureInvalid: self = .tokenSignatureInvalid
        case .expired: self = .tokenExpired
        case .revoked: self = .sessionRevoked
        }
    }
}

/// Memory for one verdict at a time, one an event loop's thread: connections of a thread never run at once.
final class VerdictScratch {
    private static let current = ThreadSpecificVariable<VerdictScratch>()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: KeyRing.scratchBytes, alignment: 16)

    deinit { memory.deallocate() }

    /// The calling thread's own.
    static func ofThisThread() -> VerdictScratch {
        if let scratch = current.currentValue { return scratch }
        let scratch = VerdictScratch()
        current.currentValue = scratch
        return scratch
    }
}
