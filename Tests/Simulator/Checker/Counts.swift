// How much a run did: a run without violations says something only if it also says what it tried.

import CurfewNode

package struct Counts: Sendable {
    package var runs = 0
    package var issued = 0
    package var renewed = 0
    package var rotated = 0
    /// Validations by an id that was replaced.
    package var activeInGrace = 0
    package var active = 0
    /// Among them: by permissions that were changed since the token was signed.
    package var activeByChange = 0
    /// How often a node's chain was held against its Redis' log, and a renewal against what that log had ended.
    package var chains = 0
    package var renewedInRedis = 0
    package var refused = 0
    /// Sessions that ended because nobody used them.
    package var idle = 0
    package var unavailable = 0
    package var acknowledged = 0
    package var fenced = 0
    package var published = 0
    package var pending = 0
    package var failedWrites = 0
    /// Changes of permissions that were answered; among the changes.
    package var permissions = 0
    /// By a session's own token; among the changes that were asked for.
    package var logouts = 0
    /// By kind, as they were drawn.
    package var faultsByKind: [String: Int] = [:]
    /// Of validations, by reason.
    package var refusalsByReason: [String: Int] = [:]
    /// Of renewals, by reason.
    package var renewalsRefused: [String: Int] = [:]
    package var terms = 0
    package var checkedAtEnd = 0
    /// Answers to clients that asked for at least a change of their own.
    package var activeAtLeast = 0
    /// Entries whose time was over: taken out of a Redis, and out of a node's memory (at least so many).
    package var swept = 0
    package var forgotten = 0

    package init() {}

    package var faults: Int { faultsByKind.values.reduce(0, +) }

    mutating func note(_ state: PropagationState) {
        switch state {
        case .acknowledged: acknowledged += 1
        case .fenced: fenced += 1
        case .published: published += 1
        case .pending: pending += 1
        }
    }

    package static func += (left: inout Counts, right: Counts) {
        left.runs += right.runs
        left.issued += right.issued
        left.renewed += right.renewed
        left.rotated += right.rotated
        left.activeInGrace += right.activeInGrace
        left.active += right.active
        left.activeByChange += right.activeByChange
        left.chains += right.chains
        left.renewedInRedis += right.renewedInRedis
        left.refused += right.refused
        left.idle += right.idle
        left.unavailable += right.unavailable
        left.acknowledged += right.acknowledged
        left.fenced += right.fenced
        left.published += right.published
        left.pending += right.pending
        left.failedWrites += right.failedWrites
        left.permissions += right.permissions
        left.logouts += right.logouts
        left.faultsByKind.merge(right.faultsByKind, uniquingKeysWith: +)
        left.refusalsByReason.merge(right.refusalsByReason, uniquingKeysWith: +)
        left.renewalsRefused.merge(right.renewalsRefused, uniquingKeysWith: +)
        left.terms += right.terms
        left.checkedAtEnd += right.checkedAtEnd
        left.activeAtLeast += right.activeAtLeast
        left.swept += right.swept
        left.forgotten += right.forgotten
    }

    package var text: String {
        """
        \(runs) runs, \(faults) faults, \(terms) terms of Redis
        \(active + refused + unavailable) validations: \(active) active (\(activeAtLeast) with Curfew-At-Least), \(refused) refused, \(unavailable) unavailable
        \(acknowledged + fenced + published + pending) changes: \(acknowledged) acknowledged, \(fenced) fenced, \
        \(published) published, \(pending) pending; \(failedWrites) writes failed, \(issued) sessions issued, \
        \(renewed) renewals, \(rotated) rotations (\(activeInGrace) validations by an id that was replaced), \(permissions) changes of permissions, \(logouts) logouts
        \(idle) sessions ended as idle; \(activeByChange) validations by changed permissions, \(chains) chains compared, \(renewedInRedis) renewals compared
        refused: \(Self.list(refusalsByReason)); not renewed: \(Self.list(renewalsRefused))
        faults: \(Self.list(faultsByKind))
        \(checkedAtEnd) revocations looked for on ready nodes at the ends
        \(swept) entries swept in Redis, \(forgotten) forgotten in memory
        """
    }

    private static func list(_ tally: [String: Int]) -> String {
        tally.isEmpty
            ? "none" : tally.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }
}
