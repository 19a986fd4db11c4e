// What can be looked at: one session, a user's sessions, the cluster.

import CurfewCore

extension Calls {
    func readSession(_ request: CallRequest) async throws(Problem) -> Answer {
        guard let session = SessionID(request.parameters[0]) else { throw Problem(.notFound) }
        let view = try await run { () async throws(ServiceError) in try await service.session(session) }
        return Answer(view)
    }

    func listSessions(_ request: CallRequest) async throws(Problem) -> Answer {
        try await inventory(of: try request.user(), request, current: nil)
    }

    /// One page; each session with `current` where there is one that asks.
    func inventory(of user: UserID, _ request: CallRequest, current: SessionID?) async throws(Problem) -> Answer {
        var limit = 50
        if let text = request.query["limit"] {
            guard let number = Int(text), (1...200).contains(number) else {
                throw .outOfRange("limit: expected a whole number from 1 to 200")
            }
            limit = number
        }
        let (count, cursor) = (limit, request.query["cursor"])
        let page = try await run { () async throws(ServiceError) in
            try await service.sessions(of: user, limit: count, cursor: cursor)
        }
        return .json { writer in
            writer.name("sessions")
            writer.array { writer in
                for session in page.sessions {
                    writer.object {
                        $0.members(of: session)
                        if let current { $0.member("current", session.session.family == current.family) }
                    }
                }
            }
            writer.member("nextCursor", page.nextCursor)
        }
    }

    func cluster() -> Answer {
        let view = service.cluster()
        return .json { writer in
            writer.member("nodeId", view.nodeID)
            writer.member("version", view.version)
            writer.member("stalenessBoundMs", view.stalenessBoundMilliseconds)
            writer.name("redis")
            writer.object {
                $0.member("address", view.redisAddress)
                $0.member("connected", view.isConnected)
                $0.member("role", view.redisRole)
                $0.member("version", view.redisVersion)
                $0.member("topology", view.topology)
                $0.member("warnings", strings: view.warnings)
                $0.name("primaries")
                $0.array { writer in
                    for primary in view.primaries { writer.object { $0.members(of: primary) } }
                }
            }
            writer.name("nodes")
            writer.array { writer in
                for node in view.nodes { writer.object { $0.members(of: node) } }
            }
            writer.name("partitions")
            writer.array { writer in
                for partition in view.partitions { writer.object { $0.members(of: partition) } }
            }
        }
    }
}

extension JSONWriter {
    mutating func members(of session: SessionView) {
        let details = session.details
        member("sessionId", session.session.description)
        member("userId", session.user.text)
        member("deviceId", session.device?.text)
        member("kind", session.kind.rawValue)
        name("permissions")
        raw(session.permissions.json)
        member("tenantId", session.tenant?.text)
        name("device")
        object {
            $0.member("name", details.deviceName)
            $0.member("platform", details.devicePlatform)
        }
        member("ipAddress", details.ipAddress)
        member("location", details.location)
        member("userAgent", details.userAgent)
        member("authMethods", strings: details.authMethods)
        name("attributes")
        if let attributes = details.attributesJSON { raw(attributes) } else { null() }
        member("createdAt", session.createdAt.rfc3339)
        member("lastActiveAt", session.lastActiveAt.rfc3339)
        member("expiresAt", session.expiresAt.rfc3339)
    }

    fileprivate mutating func members(of node: ClusterView.Node) {
        member("id", node.id)
        member("self", node.isSelf)
        member("livePartitions", node.livePartitions)
        member("lag", node.lag)
        member("servesStale", node.servesStale)
    }

    fileprivate mutating func members(of primary: ClusterView.PrimaryView) {
        member("address", primary.address)
        member("connected", primary.isConnected)
        member("role", primary.role)
        member("version", primary.version)
        name("partitions")
        array { writer in for partition in primary.partitions { writer.value(partition.index) } }
    }

    fileprivate mutating func members(of partition: ClusterView.PartitionView) {
        member("partition", partition.partition.index)
        member("seq", partition.seq)
        member("head", partition.head)
        member("fresh", partition.isFresh)
        member("ageMs", partition.ageMilliseconds)
        member("detail", partition.detail)
        member("tombstones", partition.tombstones)
        member("phase", partition.phase)
    }
}
