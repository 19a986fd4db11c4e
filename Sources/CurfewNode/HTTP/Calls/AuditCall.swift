// The audit log as it is written (server-sent events, WHATWG HTML section 9.2). The answer has no length: it ends with its connection.

import CurfewCore

extension Calls {
    func audit(_ request: CallRequest) async throws(Problem) -> Answer {
        let (start, filter) = (try request.auditStart(), try request.auditFilter())
        let trail = try await run { () async throws(ServiceError) in try await service.openAudit(from: start, filter) }
        let caller = request.caller
        return .events { [service, keys] write in
            // So that who reads sees that it is connected, and can come back before there was an entry.
            try await write(Array("id: \(trail.start)\n\n".utf8))
            try await service.followAudit(trail, while: { caller.map(keys.contains) ?? false }) { record in
                guard let record else { return try await write(Array(": \n\n".utf8)) }
                try await write(Array("id: \(record.id)\ndata: ".utf8) + record.line + Array("\n\n".utf8))
            }
        }
    }
}

extension CallRequest {
    /// `Last-Event-ID` wins: a reader that comes back has it.
    fileprivate func auditStart() throws(Problem) -> AuditStart {
        if let id = field("last-event-id") {
            let parts = id.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, parts.allSatisfy({ UInt64($0) != nil && $0.allSatisfy(\.isNumber) }) else {
                throw .malformed("Last-Event-ID: expected the id of an entry")
            }
            return .after(id)
        }
        guard let text = query["since"] else { return .now }
        guard let time = WallTime(rfc3339: text) else {
            throw .outOfRange("since: expected a time such as 2026-01-31T09:30:00Z")
        }
        return .time(time)
    }

    fileprivate func auditFilter() throws(Problem) -> AuditFilter {
        var filter = AuditFilter()
        filter.user = query["userId"]
        filter.session = query["sessionId"]
        if let text = query["event"] {
            guard let event = AuditEntry.Event(rawValue: text) else {
                throw .outOfRange(
                    "event: expected one of " + AuditEntry.Event.allCases.map(\.rawValue).joined(separator: ", "))
            }
            filter.event = event
        }
        return filter
    }
}
