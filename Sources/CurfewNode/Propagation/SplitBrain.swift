// Whether a primary that was cut off may go on accepting writes beside the one that replaced it, judged by its settings and
// by when the failover may begin. Nodes that reach only the old one stay fresh from it for as long.

/// What a primary with replicas is set to; `nil` where it did not say.
package struct SplitBrain: Sendable, Equatable {
    package var replicasToWrite: Int?
    package var maximumLagSeconds: Int?
    /// How long it may be silent before it is replaced.
    package var failoverDelay: Duration?

    package init(replicasToWrite: Int?, maximumLagSeconds: Int?, failoverDelay: Duration?) {
        self.replicasToWrite = replicasToWrite
        self.maximumLagSeconds = maximumLagSeconds
        self.failoverDelay = failoverDelay
    }

    /// In sentences; none where it is set up for certainty.
    package var warnings: [String] {
        guard let replicasToWrite else { return [] }
        if replicasToWrite < 1 {
            return [
                "Redis has replicas but min-replicas-to-write is 0: a primary that was cut off goes on accepting writes, "
                    + "and nodes that still reach it stay fresh from it"
            ]
        }
        // 0 switches the check off, whatever min-replicas-to-write says.
        guard let maximumLagSeconds else { return [] }
        if maximumLagSeconds < 1 {
            return [
                "min-replicas-max-lag is 0, which switches min-replicas-to-write off: a primary that was cut off goes on "
                    + "accepting writes, and nodes that still reach it stay fresh from it"
            ]
        }
        if let failoverDelay, .seconds(maximumLagSeconds) > failoverDelay {
            return [
                "min-replicas-max-lag is \(maximumLagSeconds) s, but another primary may be chosen after "
                    + "\(failoverDelay.wholeMilliseconds) ms: one that was cut off accepts writes beside it meanwhile, and "
                    + "nodes that still reach it stay fresh from it"
            ]
        }
        return []
    }
}
