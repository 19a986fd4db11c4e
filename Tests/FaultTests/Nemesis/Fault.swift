// What a fault is: something that begins, holds for a while and ends, and leaves the cluster as able as before. The tables of
// them: NodeFault (nodes and their lines to Redis), RedisFault (Redis misbehaves and keeps its data), LossFault (it may not).

import TestSupport

struct Fault: Sendable {
    let kind: String
    /// With what it is aimed at, for the record.
    let name: String
    let begin: @Sendable () async throws -> Void
    let end: @Sendable () async throws -> Void
}

/// A fault that has begun.
struct FaultInForce: Sendable {
    let fault: Fault
    let began: Int64

    func end(_ recorder: Recorder) async throws {
        try await fault.end()
        recorder.add(
            FaultRecord(kind: fault.kind, name: fault.name, time: Interval(began: began, ended: BootClock.now)))
    }
}

/// What faults are aimed at.
struct Stage: Sendable {
    let cluster: ClusterHarness
    let redis: RedisPair
}

/// Hands out every element once, in random order, before any again: a short run meets as many kinds as it can.
struct Deck<Element> {
    private let all: [Element]
    private var rest: [Element] = []

    init(_ all: [Element]) { self.all = all }

    mutating func draw(using random: inout SeededGenerator) -> Element {
        if rest.isEmpty { rest = all.shuffled(using: &random) }
        return rest.removeLast()
    }
}

/// The nemesis' own pacing: how long a fault holds is drawn, and nothing is asserted by it.
func pace(_ duration: Duration) async { try? await Task.sleep(for: duration) }
