// A token that another device shows than the one that its session was issued to (OWASP Session Management Cheat Sheet, "Binding the
// Session ID to Other User Properties"): refused, told, and where that is wanted, the end of the session.

import CurfewCore

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

    /// Tells of a wrong fingerprint, and ends the session where `on-suspicious` says so. A missing one is told of nowhere.
    func suspect(_ presented: PresentedFingerprint, _ suspect: AuditEntry) async {
        guard case .presented(.some) = presented else { return }
        var entry = suspect
        (entry.event, entry.signal) = (.sessionSuspicious, .fingerprintMismatch)
        record(entry)
        guard configuration.revokingSignals.contains(.fingerprintMismatch), let session = entry.session else { return }
        var options = ChangeOptions()
        options.reason = AuditEntry.Signal.fingerprintMismatch.rawValue
        // Where that fails the next one tries again: this one is refused either way.
        _ = try? await revoke(.session(session), options: options)
    }
}
