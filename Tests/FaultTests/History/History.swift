// Everything that happened in one run, in the order in which it ended: what the checker judges. A plain value, so that the
// checker can be shown small ones made by hand.

import Synchronization
import TestSupport

/// A fault that was in force.
struct FaultRecord: Sendable, Equatable {
    /// The row of the nemesis' table.
    let kind: String
    /// With what it was aimed at.
    let name: String
    let time: Interval
}

struct History: Sendable {
    /// Δ in nanoseconds.
    let stalenessBound: Int64
    var operations: [Operation] = []
    var subjects: [Subject] = []
    var faults: [FaultRecord] = []
    /// From before Redis could lose data until every node was ready again.
    var losses: [Interval] = []
    /// By code: the errors that Redis answered, as it counts them.
    var redisErrors: [String: Int] = [:]
    /// Failovers before which the old primary had events that the new one had not.
    var losingFailovers = 0
    /// Moments without a fault, at which each node had polled since the last one ended: nothing sent before is on its way.
    var settled: [Int64] = []

    /// The first settled moment after another; forever if there was none.
    func settled(after moment: Int64) -> Int64 { settled.first { $0 > moment } ?? .max }

    /// Whether Redis may have lost something that was written in this time, or not had it any more.
    func hasLoss(during time: Interval) -> Bool { losses.contains { $0.overlaps(time) } }
}

/// The history while it is made.
final class Recorder: Sendable {
    let stalenessBound: Int64
    private let history: Mutex<History>

    init(stalenessBound: Int64) {
        self.stalenessBound = stalenessBound
        history = Mutex(History(stalenessBound: stalenessBound))
    }

    var snapshot: History { history.withLock { $0 } }

    /// Gives its place in the history.
    @discardableResult func add(_ operation: Operation) -> Int {
        history.withLock {
            $0.operations.append(operation)
            return $0.operations.count - 1
        }
    }

    func add(_ subject: Subject) -> Int {
        history.withLock {
            $0.subjects.append(subject)
            return $0.subjects.count - 1
        }
    }

    func add(_ fault: FaultRecord) { history.withLock { $0.faults.append(fault) } }

    func addLoss(since moment: Int64) {
        history.withLock { $0.losses.append(Interval(began: moment, ended: BootClock.now)) }
    }

    func add(redisErrors: [String: Int]) { history.withLock { $0.redisErrors.merge(redisErrors, uniquingKeysWith: +) } }
    func addLosingFailover() { history.withLock { $0.losingFailovers += 1 } }

    func settle() { history.withLock { $0.settled.append(BootClock.now) } }
}
