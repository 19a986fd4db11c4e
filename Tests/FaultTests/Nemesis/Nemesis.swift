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
    private var nodeFaults = Deck(NodeFault.possible)
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
            recorder.add(redisErrors: try stage.redis.takeErrors())
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
        // Until the next settled moment. A run that ends before it has lost sight of what may be lost.
        defer { recorder.addLoss(since: began) }
        let witness = Int.random(in: nodeIndices, using: &random)
        let others = nodeIndices.filter { $0 != witness }
        let count = Int.random(in: 0...others.count, using: &random)
        var inForce = try await begin(drawNodeFaults(count, among: others))
        for _ in 0..<(random.happens(perMille: 200) ? 2 : 1) {
            await pace(random.milliseconds(0...1_500))
            // Some come back while Redis is away, and are the first to meet it when it has forgotten.
            let returning = random.happens(perMille: 500) ? inForce : []
            if !returning.isEmpty { inForce = [] }
            try await strike(ending: returning, witness: stage.cluster.proxies[witness])
        }
        try await hold(inForce)
        try await settle()
    }

    private mutating func strike(ending returning: [FaultInForce], witness: FaultProxy) async throws {
        let loss = lossFaults.draw(using: &random)
        // The witness may be late to the new term, by less than Δ with all that it needs to connect.
        let isWitnessLate = loss != .flushed && random.happens(perMille: 500)
        let delay = random.milliseconds(0...120)
        let began = BootClock.now
        if isWitnessLate { try await witness.refuse() }
        let recorder = recorder
        let mend = try await loss.strike(stage, recorder, using: &random) {
            for fault in returning { try await fault.end(recorder) }
        }
        if isWitnessLate {
            await pace(delay)
            try await witness.accept()
        }
        recorder.add(
            FaultRecord(
                kind: loss.rawValue, name: loss.rawValue + (isWitnessLate ? ", the witness late" : ""),
                time: Interval(began: began, ended: BootClock.now)))
        try await mend()
    }

    private mutating func drawNodeFaults(_ count: Int, among nodes: [Int]) -> [Fault] {
        nodes.shuffled(using: &random).prefix(count).map { node in
            nodeFaults.draw(using: &random).fault(of: node, on: stage)
        }
    }

    private mutating func afflict(_ faults: [Fault]) async throws { try await hold(try await begin(faults)) }

    /// One by one, so that they overlap in every way.
    private mutating func begin(_ faults: [Fault]) async throws -> [FaultInForce] {
        var inForce: [FaultInForce] = []
        for fault in faults {
            inForce.append(FaultInForce(fault: fault, began: BootClock.now))
            try await fault.begin()
            await pace(random.milliseconds(0...500))
        }
        return inForce
    }

    /// Lets them be for a while, and ends them in another order.
    private mutating func hold(_ faults: [FaultInForce]) async throws {
        await pace(random.milliseconds(300...2_000))
        for fault in faults.shuffled(using: &random) {
            try await fault.end(recorder)
            await pace(random.milliseconds(0...300))
        }
    }
}
