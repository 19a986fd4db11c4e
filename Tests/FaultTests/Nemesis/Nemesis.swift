// Makes things go wrong, one episode after the other: some faults that overlap, then a time in which all of it heals. Three
// kinds of episode, by what the checker may assume (Checker/Relation.swift says why):
//
//   nodes   faults of up to three nodes and lines; Redis is well
//   redis   Redis misbehaves and keeps its data, and perhaps a node or line fails too
//   loss    Redis may lose what it has answered. One node, the witness, is left alone until everybody is ready again

import TestSupport

struct Nemesis {
    private let stage: Stage
    private let recorder: Recorder
    private var random: SeededGenerator
    private var nodeFaults = Deck(NodeFault.allCases)
    private var redisFaults = Deck(RedisFault.possible)
    private var lossFaults = Deck(LossFault.allCases)
    private var episodes = Deck(["loss", "loss", "redis", "redis", "redis", "nodes"])

    private var nodeIndices: Range<Int> { stage.cluster.nodes.indices }

    init(_ stage: Stage, recorder: Recorder, random: SeededGenerator) {
        self.stage = stage
        self.recorder = recorder
        self.random = random
    }

    mutating func run(until end: Int64) async throws {
        while BootClock.now < end {
            switch episodes.draw(using: &random) {
            case "loss": try await loseData()
            case "redis":
                var faults = [redisFaults.draw(using: &random).fault(on: stage, using: &random)]
                if random.happens(perMille: 600) { faults += drawNodeFaults(1, among: Array(nodeIndices)) }
                try await afflict(faults)
            default:
                let count = Int.random(in: 1...nodeIndices.count, using: &random)
                try await afflict(drawNodeFaults(count, among: Array(nodeIndices)))
            }
            try await settle()
            recorder.settle()
            await pace(random.milliseconds(300...1_000))
        }
    }

    /// Returns when no fault is in force, every node has polled since, and all are ready.
    func settle() async throws {
        let over = BootClock.now
        try await eventually("Δ and its margin have passed") { BootClock.now > over + stage.cluster.fenceBound }
        try await stage.cluster.ready(within: .seconds(30))
    }

    private mutating func loseData() async throws {
        let began = BootClock.now
        let witness = Int.random(in: nodeIndices, using: &random)
        let others = nodeIndices.filter { $0 != witness }
        let count = Int.random(in: 0...others.count, using: &random)
        let faults = drawNodeFaults(count, among: others)
        let strikes = random.happens(perMille: 200) ? 2 : 1
        // Until the next settled moment. A run that ends before it has lost sight of what may be lost.
        defer { recorder.addLoss(since: began) }
        try await afflict(faults, strikes: strikes)
        try await settle()
    }

    private mutating func strike() async throws {
        await pace(random.milliseconds(0...600))
        let loss = lossFaults.draw(using: &random)
        let began = BootClock.now
        try await loss.strike(stage, using: &random)
        recorder.add(
            FaultRecord(
                kind: loss.rawValue, name: loss.rawValue, time: Interval(began: began, ended: BootClock.now)))
    }

    private mutating func drawNodeFaults(_ count: Int, among nodes: [Int]) -> [Fault] {
        nodes.shuffled(using: &random).prefix(count).map { node in
            nodeFaults.draw(using: &random).fault(of: node, on: stage)
        }
    }

    /// Begins the faults one by one, takes data so many times, lets the faults hold, and ends them in another order.
    private mutating func afflict(_ faults: [Fault], strikes: Int = 0) async throws {
        var inForce: [(fault: Fault, began: Int64)] = []
        for fault in faults {
            inForce.append((fault, BootClock.now))
            try await fault.begin()
            await pace(random.milliseconds(0...500))
        }
        for _ in 0..<strikes { try await strike() }
        await pace(random.milliseconds(300...2_000))
        for (fault, began) in inForce.shuffled(using: &random) {
            try await fault.end()
            recorder.add(
                FaultRecord(kind: fault.kind, name: fault.name, time: Interval(began: began, ended: BootClock.now)))
            await pace(random.milliseconds(0...300))
        }
    }
}
