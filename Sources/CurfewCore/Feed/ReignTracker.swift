// Whose reign a connection is in, from what INFO says: a process (`run_id`) and its replication history (`master_replid`).
// The one change that is no new reign: a primary without replicas drops its backlog after a while and takes a new
// history id with no predecessor (`master_replid2` all zeros). Believed only where contact was not lost for long, since
// a primary that was demoted and promoted meanwhile could look the same once its own backlog expired.

public struct ReignTracker: Hashable, Sendable {
    /// What INFO says of a server.
    public struct Sighting: Hashable, Sendable {
        public let runID: String
        public let replicationID: String
        /// The history that it continued, zeros where none.
        public let previousReplicationID: String

        public init(runID: String, replicationID: String, previousReplicationID: String) {
            self.runID = runID
            self.replicationID = replicationID
            self.previousReplicationID = previousReplicationID
        }

        var hasNoPredecessor: Bool { previousReplicationID.utf8.allSatisfy { $0 == UInt8(ascii: "0") } }
    }

    public private(set) var current: Reign?
    /// The history of the last sighting.
    public private(set) var replicationID = ""
    private var lastSeenAt = BootTime.distantPast

    /// Contact lost for longer than this, and a new history id is a new reign whatever it says of its predecessor.
    /// Far below the shortest useful `repl-backlog-ttl` (default 1 h).
    public static let continuity = Duration.seconds(60)

    public init() {}

    /// The reign that this sighting belongs to.
    public mutating func see(_ sighting: Sighting, at now: BootTime) -> Reign {
        let isContinuous = now - lastSeenAt <= Self.continuity
        lastSeenAt = now
        if let current, current.runID == sighting.runID,
            sighting.replicationID == replicationID || (isContinuous && sighting.hasNoPredecessor)
        {
            replicationID = sighting.replicationID
            return current
        }
        let reign = Reign(runID: sighting.runID, replicationID: sighting.replicationID)
        current = reign
        replicationID = sighting.replicationID
        return reign
    }
}
