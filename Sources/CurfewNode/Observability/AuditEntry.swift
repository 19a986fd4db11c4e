// What happened to a session or a user, in the words of the audit log: one value an occurrence. Whoever lets something happen
// says so by `SessionService.record`, once, at the node that did it.

import CurfewCore

/// One occurrence. Fields that an event does not know are `nil` and left out of its line.
package struct AuditEntry: Sendable, Equatable {
    package enum Event: String, Sendable, CaseIterable {
        case sessionCreated = "session.created"
        case sessionRenewed = "session.renewed"
        case sessionRotated = "session.rotated"
        /// With `reason`.
        case sessionTerminated = "session.terminated"
        /// Idle or over age.
        case sessionExpired = "session.expired"
        case permissionsChanged = "permissions.changed"
        case authenticationFailed = "authentication.failed"
        /// With `signal`.
        case sessionSuspicious = "session.suspicious"
    }

    package enum Signal: String, Sendable, CaseIterable {
        case refreshTokenReused = "refresh_token_reused"
        case fingerprintMismatch = "fingerprint_mismatch"
        case authenticationBurst = "authentication_burst"
        case newDevice = "new_device"
    }

    package var event: Event
    package var timestamp: WallTime
    package var user: UserID?
    package var session: SessionID?
    package var device: DeviceID?
    package var tenant: TenantID?
    package var ipAddress: String?
    package var userAgent: String?
    /// What a revocation was of, where the ids do not say it: `others` (all of the user's but `session`) or `everyone`.
    package var scope: String?
    /// Why it ended: `logout`, `admin`, …, as the caller of revoke said.
    package var reason: String?
    package var signal: Signal?
    /// Of the request that did it, where its caller keeps a trace: 32 hexadecimal digits.
    package var traceID = TraceContext.current?.traceID
    /// When the session's login was, where that is known: for how long it lived. No part of the line.
    package var createdAt: WallTime?

    package init(_ event: Event, at timestamp: WallTime) {
        self.event = event
        self.timestamp = timestamp
    }
}
