// By when a partition forgets: never sooner than a tombstone's time has passed, whatever the wall clocks show meanwhile.

import Testing

@testable import CurfewCore

@Suite("What forgets by the forgetting clock") struct ForgettingClockTests {
    private static let lifetime: Int64 = 900
    private static let keptFor = lifetime + ForgettingClock.slackSeconds
    private static let start: Int64 = 1_800_000_000

    /// A node and its Redis whose clocks agree, and are off by as much as a test says.
    private struct Scene {
        var clock = ForgettingClock()
        var passed: Int64 = 0
        var off: Int64 = 0

        var wall: WallTime { WallTime(seconds: start + passed + off) }
        var now: BootTime { BootTime(nanoseconds: 77_500_000_000) + .seconds(passed) }

        init(known: Int64? = start, off: Int64 = 0) {
            self.off = off
            clock.resume(from: known.map { WallTime(seconds: $0) }, wall: wall, redis: wall, at: now)
        }

        mutating func pass(_ seconds: Int64) {
            for _ in 0..<seconds {
                passed += 1
                clock.look(wall: wall, redis: wall, at: now, keptFor: keptFor)
            }
        }
    }

    @Test("goes with the time, and never past the earlier of the two wall clocks")
    func follows() {
        var scene = Scene()
        scene.pass(100)
        #expect(scene.clock.time == scene.wall)
        let earlier = WallTime(seconds: scene.wall.seconds - 20)
        scene.clock.look(wall: scene.wall, redis: earlier, at: scene.now, keptFor: Self.keptFor)
        #expect(scene.clock.time == earlier)
        scene.off = -3600
        scene.pass(1)
        #expect(scene.clock.time == scene.wall)
    }

    @Test("is hurried by no step forward, and believes it once every token of before has run out")
    func steps() {
        var scene = Scene()
        scene.off = 3600
        scene.pass(Self.keptFor)
        #expect(scene.clock.time == WallTime(seconds: Self.start + Self.keptFor))
        scene.pass(2)
        #expect(scene.clock.time == scene.wall)
    }

    @Test("a clock that was ahead for a while and came right leaves nothing behind")
    func comesRight() {
        var scene = Scene()
        scene.off = 3600
        scene.pass(600)
        scene.off = 0
        scene.pass(1)
        #expect(scene.clock.time == scene.wall)
    }

    @Test("a node that starts goes on from where the others came, and has none before it knows that")
    func resumes() {
        var scene = Scene(known: Self.start, off: 3600)
        #expect(scene.clock.time == WallTime(seconds: Self.start))
        scene.pass(60)
        #expect(scene.clock.time == WallTime(seconds: Self.start + 60))
        var first = Scene(known: nil)
        first.pass(Self.keptFor)
        #expect(first.clock.time == WallTime(seconds: first.wall.seconds - ForgettingClock.firstLagSeconds))
        first.pass(2)
        #expect(first.clock.time == first.wall, "no token of before it began lives")
        var clock = ForgettingClock()
        clock.look(wall: scene.wall, redis: scene.wall, at: scene.now, keptFor: Self.keptFor)
        #expect(clock.time == nil)
    }

    @Test(
        "no steps of the clocks forget a tombstone before its token has run out, by any clock that comes right",
        arguments: 1...50)
    func randomSteps(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var scene = Scene()
        /// When each was revoked, by passed time, and until when it is kept, by the clocks then.
        var tombstones: [(passed: Int64, until: Int64)] = []
        for _ in 0..<200 {
            if Int.random(in: 0..<4, using: &random) == 0 { scene.off = .random(in: 0...5000, using: &random) }
            tombstones.append((scene.passed, scene.wall.seconds + Self.keptFor))
            scene.pass(.random(in: 1...400, using: &random))
            guard let time = scene.clock.time else { return }
            tombstones.removeAll { tombstone in
                guard tombstone.until <= time.seconds else { return false }
                #expect(scene.passed - tombstone.passed >= Self.keptFor - 2 * ForgettingClock.tolerance)
                return true
            }
        }
        scene.pass(6000)
        #expect(scene.clock.time == scene.wall)
    }
}
