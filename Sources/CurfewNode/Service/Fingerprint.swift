// A token that another device shows than the one that its session was issued to (OWASP Session Management Cheat Sheet, "Binding the
// Session ID to Other User Properties"): refused, told, and where that is wanted, the end of the session.

import CurfewCore
import CurfewRedis
import Synchronization

/// What a session's fingerprint is used for.
package enum FingerprintPolicy: String, CaseIterable, Sendable {
    /// A wrong one is refused.
    case checked
    /// So is a missing one.
    case required
    case off
}

/// What the device says of itself.
package enum PresentedFingerprint: Sendable, Equatable {
    /// A call at which it is no matter.
    case notAsked
    /// `Curfew-Fingerprint`; `nil` where it is missing.
    case presented([UInt8]?)
}

extension SessionService {
    /// Whether the token of this session may not be taken from this device. `code`: of the fingerprint that the session was issued with.
    func isOtherDevice(_ presented: PresentedFingerprint, code: String?, of session: SessionID) -> Bool {
        guard configuration.fingerprint != .off, let code, case .presented(let fingerprint) = presented else {
            return false
        }
        guard let fingerprint else { return configuration.fingerprint == .required }
        return !fingerprint.withUnsafeBytes { given in
            Array(code.utf8).withUnsafeBytes { keyRing.isFingerprint(given, ofCode: $0, for: session) }
        }
    }

    /// The same of a record, for who renews or looks at it by a token that may have run out.
    func refuseOtherDevice(_ presented: PresentedFingerprint, _ view: SessionView) async throws(ServiceError) {
        guard isOtherDevice(presented, code: view.fingerprint, of: view.session) else { return }
        await suspect(presented, AuditEntry(.sessionSuspicious, of: view, at: clock.wall()))
        throw .tokenRefused(.deviceMismatch)
    }

    /// The same before an answer that was kept is given again. Of a session without a record: what was kept of it is worth nothing.
    func refuseOtherDevice(
        _ presented: PresentedFingerprint, of credential: RefreshCredential
    ) async throws(ServiceError) {
        guard configuration.fingerprint != .off else { return }
        let session: SessionID?
        switch credential {
        case .token(let token): session = (try? keyRing.decode(token))?.session
        case .refreshToken(let text): session = (try? keyRing.decodeRefreshToken(text))?.session
        }
        guard let session, let view = try await followedRecord(of: session.family) else { return }
        try await refuseOtherDevice(presented, view)
    }

    /// The code of a fingerprint that was found right, where it was made with another key than the one that signs now: that one may be
    /// taken out while the session goes on. `nil` where there is nothing to write.
    func newCode(of presented: PresentedFingerprint, _ view: SessionView) -> String? {
        guard configuration.fingerprint != .off, let code = view.fingerprint,
            case .presented(let fingerprint?) = presented
        else { return nil }
        let current = keyRing.fingerprintCode(of: fingerprint, for: view.session, at: clock.wall())
        return current == code ? nil : current
    }

    /// Tells of a wrong fingerprint, and ends the session where `on-suspicious` says so. A missing one is told of nowhere, and nothing
    /// twice in a minute: who holds a token could fill the audit log.
    func suspect(_ presented: PresentedFingerprint, _ suspect: AuditEntry) async {
        guard case .presented(.some) = presented else { return }
        guard let session = suspect.session else { return }
        if mismatches.mayTell(of: session, at: surroundings.uptime) { recordSuspicion(.fingerprintMismatch, suspect) }
        guard configuration.revokingSignals.contains(.fingerprintMismatch) else { return }
        var options = ChangeOptions()
        options.reason = AuditEntry.Signal.fingerprintMismatch.rawValue
        // Where that fails the next one tries again: this one is refused either way.
        _ = try? await revoke(.session(session), options: options)
    }
}

/// The logins of which this node has told within the last minute.
final class ToldMismatches: Sendable {
    static let interval = Duration.seconds(60)
    /// With more of them some are told of again.
    static let maximum = 4_096

    private let told = Mutex<[SessionID: Duration]>([:])

    var count: Int { told.withLock(\.count) }

    /// `now`: of a clock that only goes on.
    func mayTell(of session: SessionID, at now: Duration) -> Bool {
        told.withLock { told in
            if let before = told[session.family], now - before < Self.interval { return false }
            if told.count >= Self.maximum { told.removeAll() }
            told[session.family] = now
            return true
        }
    }
}
