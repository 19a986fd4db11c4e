// The caller's own stream of events (WHATWG HTML, section 9.2 "Server-sent events"). The answer has no length: it ends with its connection.

import CurfewCore

extension Calls {
    func events(_ request: CallRequest) async throws(Problem) -> Answer {
        let token = try credential(of: request).token
        let lastID = request.field("last-event-id")
        let fingerprint = try request.fingerprintIfSaid()
        let events = try await run { () async throws(ServiceError) in
            try await service.events(token: token, from: fingerprint, lastID: lastID)
        }
        return .events { [service] write in
            try await service.follow(events) { try await write($0.bytes(of: events.session)) }
        }
    }
}

extension SessionEvent {
    /// One block: an id alone moves on what the browser sends as `Last-Event-ID`, and is no event to the page.
    fileprivate func bytes(of session: SessionID) -> [UInt8] {
        var lines = id.map { "id: \($0)\n" } ?? ""
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("sessionId", session.description)
            switch news {
            case .revoked(let reason): writer.member("reason", reason)
            case .permissionsChanged(let permissions, let version), .resync(let permissions, let version):
                writer.member("permissions", strings: permissions.names)
                writer.member("permissionsVersion", version)
            case .expired, .superseded, .none: break
            }
            writer.member("at", at.rfc3339)
        }
        guard let name else { return Array((lines + ": \n\n").utf8) }
        lines += "event: \(name)\ndata: "
        return Array(lines.utf8) + writer.bytes + Array("\n\n".utf8)
    }

    private var name: String? {
        switch news {
        case .revoked: "session.revoked"
        case .permissionsChanged: "permissions.changed"
        case .expired: "session.expired"
        case .superseded: "session.superseded"
        case .resync: "resync"
        case .none: nil
        }
    }
}
