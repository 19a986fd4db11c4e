// What a node says about itself and the others: for operators, load balancers and the person at 3 a.m.

import CurfewCore
import CurfewRedis
import Synchronization

extension SessionService {
    /// Whether every partition is fresh; if not, which are not, and why.
    package func readiness() -> Readiness {
        var reasons: [(detail: String, partitions: [UInt16])] = []
        for partition in count.all {
            guard let detail = staleness(of: partition) else { continue }
            if let index = reasons.firstIndex(where: { $0.detail == detail }) {
                reasons[index].partitions.append(partition.index)
            } else {
                reasons.append((detail, [partition.index]))
            }
        }
        guard !reasons.isEmpty else { return Readiness(isReady: true, detail: "every partition is fresh") }
        let sentences = reasons.map { reason in
            let which =
                reason.partitions.count == Int(count.value)
                ? "all partitions" : "partitions " + reason.partitions.map(String.init).joined(separator: ", ")
            return "\(which): \(reason.detail)"
        }
        return Readiness(isReady: false, detail: sentences.joined(separator: "; "))
    }

    /// Why a partition is not fresh; `nil` when it is. Fixed sentences: readiness groups by them.
    func staleness(of partition: Partition) -> String? {
        let (now, wall) = (clock.boot(), clock.wall())
        let unreachable = unreachability(of: partition)
        return table.withPartition(partition) { slot in
            let feed = slot.feed
            if feed.isClockOff(at: wall) { return ClockSkew.detail }
            if feed.isFresh(at: now) { return nil }
            switch feed.phase {
            case .disconnected: return unreachable
            case .loading: return "loading the revocation state"
            case .reasserting: return "writing again what Redis lost"
            case .following:
                return now < feed.newcomerUntil
                    ? "new term: waiting until every living node has re-asserted what Redis may have lost"
                    : "no poll was answered within the staleness bound"
            }
        }
    }

    /// Why the feed of a partition may stand on no connection.
    private func unreachability(of partition: Partition) -> String {
        guard let primary = driver.primary(of: partition) else { return "no Redis primary is known to have it" }
        return primary.isConnected ? "its Redis primary does not answer for it" : "no connection to Redis"
    }

    /// The nodes, partitions and the Redis behind them, as this node sees them.
    package func cluster() -> ClusterView {
        let now = clock.boot()
        let primaries = driver.allPrimaries
        let states = primaries.map { $0.state.withLock(\.self) }
        let info = states.lazy.compactMap(\.info).first
        let warnings = zip(primaries, states).flatMap { primary, state in
            state.warnings.map { primary.isClusterMember ? "\(primary.name): \($0)" : $0 }
        }
        let isConnected = !states.isEmpty && states.allSatisfy { $0.connection != nil }
        let views = zip(primaries, states).map { primary, state in
            ClusterView.PrimaryView(
                address: primary.name, isConnected: state.connection != nil, role: state.info?.role ?? "unknown",
                version: state.info?.version ?? "unknown", partitions: primary.partitions)
        }
        let feeds = count.all.map { partition in
            (partition, table.withPartition(partition) { ($0.feed, $0.state.sessionCount) })
        }
        return ClusterView(
            nodeID: driver.calls.nodeID.text, version: curfewVersion, nodes: nodes(feeds.map(\.1.0), now),
            partitions: feeds.map { partition, slot in view(partition, slot.0, tombstones: slot.1, now) },
            redisAddress: primaries.map(\.name).joined(separator: ", "), redisRole: info?.role ?? "unknown",
            redisVersion: info?.version ?? "unknown", topology: configuration.topologyName,
            primaries: views, isConnected: isConnected, warnings: warnings + boundsWarning(feeds.map(\.1.0)),
            stalenessBoundMilliseconds: driver.bounds.staleness.wholeMilliseconds)
    }

    /// Fences stay true where nodes differ in Δ, and get slow.
    private func boundsWarning(_ feeds: [PartitionFeed]) -> [String] {
        let habits = feeds.flatMap { $0.membership.members.values.map(\.habit.stalenessMilliseconds).filter { $0 > 0 } }
        guard let least = habits.min(), let most = habits.max(), least < most else { return [] }
        return [
            "nodes run with staleness bounds from \(least) ms to \(most) ms: a wait for the cluster goes by the longest "
                + "that a node has seen since it started"
        ]
    }

    private func nodes(_ feeds: [PartitionFeed], _ now: BootTime) -> [ClusterView.Node] {
        var nodes: [NodeID: ClusterView.Node] = [:]
        for feed in feeds {
            let idle = feed.membership.idle(for: driver.bounds.patience, at: now)
            for (id, record) in feed.membership.members {
                var node =
                    nodes[id]
                    ?? ClusterView.Node(
                        id: id.text, isSelf: id == driver.calls.nodeID, livePartitions: 0, lag: 0,
                        servesStale: record.servesStale)
                if idle[id] == nil { node.livePartitions += 1 }
                let head = feed.applied?.seq ?? 0
                // What others had applied is what their last poll said; of itself a node knows it now.
                if !node.isSelf {
                    node.lag = max(node.lag, head > record.applied.seq ? head - record.applied.seq : 0)
                }
                nodes[id] = node
            }
        }
        return nodes.values.sorted { $0.id < $1.id }
    }

    private func view(
        _ partition: Partition, _ feed: PartitionFeed, tombstones: Int, _ now: BootTime
    ) -> ClusterView.PartitionView {
        ClusterView.PartitionView(
            partition: partition, seq: feed.applied?.seq ?? 0, head: max(feed.head?.seq ?? 0, feed.applied?.seq ?? 0),
            isFresh: feed.isFresh(at: now) && !feed.isClockOff(at: clock.wall()),
            ageMilliseconds: feed.freshAsOf == .distantPast ? nil : (now - feed.freshAsOf).wholeMilliseconds,
            detail: staleness(of: partition), tombstones: tombstones, phase: feed.phase.rawValue)
    }
}
