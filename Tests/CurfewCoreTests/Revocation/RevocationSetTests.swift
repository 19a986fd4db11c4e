// The revocation set against a dictionary, its memory, and its clock hand.

import Testing

@testable import CurfewCore

@Suite struct RevocationSetTests {
    private struct ID: Hashable {
        var high: UInt64
        var low: UInt64
    }

    @Test("random inserts, lookups and expiry agree with a dictionary", arguments: 0..<12)
    func model(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var set = RevocationSet()
        var model: [ID: Int64] = [:]
        var now: Int64 = 1000
        // Few distinct ids: repeated inserts, full clusters and gaps closing are common.
        let ids = (0..<400).map { _ in ID(high: generator.next(), low: generator.next()) }
        for step in 0..<6000 {
            let id = ids.randomElement(using: &generator) ?? ids[0]
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<6:
                let until = now + Int64.random(in: 1...300, using: &generator)
                let isNew = set.insert(high: id.high, low: id.low, until: WallTime(seconds: until))
                #expect(isNew == (model[id] == nil))
                model[id] = max(model[id] ?? 0, until)
                // An insert moves the hand too: what it may have removed is what was past at the last expiry.
                model = model.filter { $0.value > now || set.contains(high: $0.key.high, low: $0.key.low) }
            case 6..<9:
                #expect(set.contains(high: id.high, low: id.low) == (model[id] != nil))
            default:
                now += Int64.random(in: 0...40, using: &generator)
                let before = model.count
                let removed = set.expire(now: WallTime(seconds: now), budget: 4 * 700)
                model = model.filter { $0.value > now }
                #expect(removed == before - model.count)
            }
            guard set.count == model.count else {
                Issue.record("step \(step): \(set.count) instead of \(model.count)")
                return
            }
        }
        var seen: [ID: Int64] = [:]
        set.forEach { high, low, until in seen[ID(high: high, low: low)] = until.seconds }
        #expect(seen == model)
        for id in ids { #expect(set.contains(high: id.high, low: id.low) == (model[id] != nil)) }
    }

    @Test("a tombstone takes at most 32 bytes, at every size from 10,000 to 1,000,000")
    func memory() {
        var generator = SeededGenerator(seed: 5)
        var set = RevocationSet()
        var worst = 0.0
        for index in 1...1_000_000 {
            set.insert(high: generator.next(), low: generator.next(), until: WallTime(seconds: 2_000_000_000))
            if index >= 10_000 { worst = max(worst, Double(set.memoryBytes) / Double(index)) }
        }
        #expect(set.count == 1_000_000)
        #expect(worst <= 32)
        #expect(worst > 20, "an id and a second are 20 bytes: less can't be true")
    }

    @Test("the memory it reports is the memory it takes")
    func allocatedMemory() {
        var generator = SeededGenerator(seed: 6)
        var set = RevocationSet()
        for _ in 0..<50_000 { set.insert(high: generator.next(), low: generator.next(), until: WallTime(seconds: 9)) }
        var (ids, untils) = (0, 0)
        for child in Mirror(reflecting: set).children {
            if let array = child.value as? [UInt32] { untils = array.capacity * 4 }
            if child.label == "ids" { ids = Mirror(reflecting: child.value).children.count * 16 }
        }
        #expect(ids > 0 && untils > 0)
        #expect(Double(ids + untils) <= Double(set.memoryBytes) * 1.01 + 64)
    }

    @Test(
        "after two rounds of the hand nothing that was past is left, however small the steps", arguments: [1, 7, 1000])
    func expiryIsComplete(budget: Int) {
        var generator = SeededGenerator(seed: UInt64(budget))
        var set = RevocationSet()
        for index in 0..<5000 {
            let until = WallTime(seconds: index.isMultiple(of: 3) ? 2000 : 100)
            set.insert(high: generator.next(), low: generator.next(), until: until)
        }
        let slots = set.memoryBytes / 20
        var examined = 0
        while examined < 2 * slots {
            set.expire(now: WallTime(seconds: 100), budget: budget)
            examined += budget
        }
        var late = 0
        set.forEach { _, _, until in if until.seconds <= 100 { late += 1 } }
        #expect(late == 0)
        #expect(set.count == 1667)
        #expect(Double(set.memoryBytes) / Double(set.count) <= 52, "it shrinks when most of it went")

        while set.count > 0, examined < 10 * slots {
            set.expire(now: WallTime(seconds: 2000), budget: budget)
            examined += budget
        }
        #expect(set.count == 0)
        #expect(set.memoryBytes <= 16 * 20)
    }

    @Test("one step of the hand examines no more than its budget")
    func boundedWork() {
        var set = RevocationSet()
        for index in 0..<1000 { set.insert(high: UInt64(index), low: 1, until: WallTime(seconds: 1)) }
        let none = set.expire(now: WallTime(seconds: 5), budget: 0)
        let some = set.expire(now: WallTime(seconds: 5), budget: 10)
        #expect(none == 0)
        #expect((1...10).contains(some))
        #expect(set.count >= 990)
    }

    @Test("while inserts come, what is past goes by their steps of the hand")
    func insertsExpire() {
        var generator = SeededGenerator(seed: 9)
        var set = RevocationSet()
        var largest = 0
        for now in Int64(1)...30_000 {
            // No budget: this only tells it the time.
            set.expire(now: WallTime(seconds: now), budget: 0)
            set.insert(high: generator.next(), low: generator.next(), until: WallTime(seconds: now + 1000))
            largest = max(largest, set.count)
        }
        #expect(largest < 3000, "1,000 are alive at a time")
    }

    @Test("deadlines outside 1970 to 2106 count as the nearest inside")
    func extremes() {
        var set = RevocationSet()
        set.insert(high: 1, low: 1, until: WallTime(seconds: .max))
        set.insert(high: 2, low: 2, until: WallTime(seconds: .min))
        #expect(set.contains(high: 1, low: 1) && set.contains(high: 2, low: 2))
        set.expire(now: WallTime(seconds: 1_790_000_000), budget: 1000)
        #expect(set.contains(high: 1, low: 1) && !set.contains(high: 2, low: 2))
    }
}
