// What the verbs tell of: one entry a thing that really happened, by the node that did it. A call that is repeated and finds everything
// done tells nothing.

import CurfewCore

extension SessionService {
    func record(_ event: AuditEntry.Event, _ view: SessionView, reason: String? = nil, signal: AuditEntry.Signal? = nil)
    {
        var entry = AuditEntry(event, of: view, at: clock.wall())
        (entry.reason, entry.signal) = (reason, signal)
        record(entry)
    }

    /// What somebody did who may not be whom the session was issued to: told with who that is, as far as it is known.
    func recordSuspicion(_ signal: AuditEntry.Signal, _ entry: AuditEntry) {
        var entry = entry
        (entry.event, entry.signal) = (.sessionSuspicious, signal)
        (entry.ipAddress, entry.userAgent) = (Visitor.current?.ipAddress, Visitor.current?.userAgent)
        record(entry)
    }

    /// `signal`: what is suspicious about it. `session`: `nil` of a login that was refused.
    func recordLogin(
        _ request: IssueRequest, _ session: SessionID?, at time: WallTime, signal: AuditEntry.Signal? = nil
    ) {
        var entry = AuditEntry(signal == nil ? .sessionCreated : .sessionSuspicious, at: time)
        entry.signal = signal
        (entry.user, entry.session, entry.device, entry.tenant) = (
            request.user, session, request.device, request.tenant
        )
        (entry.ipAddress, entry.userAgent) = (request.details.ipAddress, request.details.userAgent)
        record(entry)
    }

    /// What ended to make room for a login, or was replaced by it: one entry a session.
    /// `ended`: those that had not ended before.
    func recordEnds(of events: [Event], _ ended: [SessionID], user: UserID) {
        for event in events {
            guard case .sessions(let sessions) = event.change else { continue }
            for session in sessions where ended.contains(session) {
                var entry = AuditEntry(.sessionTerminated, at: clock.wall())
                (entry.user, entry.session, entry.reason) = (user, session, event.reason)
                record(entry)
            }
        }
    }

    /// One entry, whatever it ended; of a tenant and of everyone it is not known whether there was anybody. `named`: the one session
    /// that the target is, if it is one.
    func recordEnd(
        of target: RevokeTarget, _ named: NamedSession?, _ outcomes: [PartitionOutcome], reason: String
    ) {
        guard !target.isCounted || outcomes.contains(where: { $0.revoked > 0 }) else { return }
        var entry = AuditEntry(.sessionTerminated, at: clock.wall())
        entry.reason = reason
        (entry.session, entry.user, entry.device) = (named?.session, named?.user, named?.device)
        entry.createdAt = named?.createdAt
        switch target {
        case .session, .token: break
        case .user(let user): entry.user = user
        case .userExcept(let user, let kept): (entry.user, entry.session, entry.scope) = (user, kept, "others")
        case .device(let user, let device): (entry.user, entry.device) = (user, device)
        case .tenant(let tenant): entry.tenant = tenant
        case .everyone: entry.scope = "everyone"
        }
        record(entry)
    }

    func recordPermissionsChange(of user: UserID) {
        var entry = AuditEntry(.permissionsChanged, at: clock.wall())
        entry.user = user
        record(entry)
    }
}

/// What is known of the one session that a revoke names.
struct NamedSession {
    let session: SessionID
    var user: UserID?
    var device: DeviceID?
    var createdAt: WallTime?
}

extension AuditEntry {
    /// What a session's record says of it.
    init(_ event: Event, of view: SessionView, at time: WallTime) {
        self.init(event, at: time)
        (user, session, device, tenant) = (view.user, view.session, view.device, view.tenant)
        (ipAddress, userAgent, createdAt) = (view.details.ipAddress, view.details.userAgent, view.createdAt)
    }
}
