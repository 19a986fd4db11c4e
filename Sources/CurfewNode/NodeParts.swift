// What a node is without its listeners and sockets: the partitions, what keeps them fresh, and the verbs. The same for a real
// node and for a simulated one.

import CurfewCore
import CurfewRedis
import Logging

/// Everything between HTTP and the connections to Redis.
package struct NodeParts: Sendable {
    package let driver: FeedDriver
    package let service: SessionService

    /// `configuration` has been validated. Whoever puts the node together gives the driver its primaries.
    package init(
        configuration: NodeConfiguration, nodeID: NodeID, count: PartitionCount, keyRing: KeyRing,
        surroundings: any Surroundings, clock: NodeClock, audit: AuditLog? = nil,
        auditStream: AuditStream? = nil, logger: Logger
    ) {
        let table = PartitionTable(count: count, bounds: FeedBounds(staleness: configuration.stalenessBound))
        driver = FeedDriver(
            table: table, calls: configuration.scriptCalls(nodeID, random: { surroundings.random() }),
            configuration: configuration, checks: StartChecks(partitionCount: configuration.partitions),
            surroundings: surroundings, clock: clock, audit: audit, auditStream: auditStream,
            logger: logger)
        service = SessionService(
            keyRing: keyRing, table: table, clock: clock, configuration: configuration, driver: driver, logger: logger)
    }
}
