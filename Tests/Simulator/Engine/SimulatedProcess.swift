// One node's process: the executor that its tasks run on, its clocks, its timers, its random numbers. The real code runs on it
// unchanged; what it can do next is drawn at random, so that every order of its ready jobs is tried sooner or later. A stopped process
// runs nothing, while timers and answers pile up; a dead one never runs again.

import CurfewRedis

// `@unchecked Sendable`: one thread runs the whole simulation.
final class SimulatedProcess: TaskExecutor, Surroundings, @unchecked Sendable {
    private enum Work {
        case job(UnownedJob)
        case call(() -> Void)
    }

    let name: String
    let agenda: Agenda
    private var chance: SeededRandom
    private var ready: [Work] = []
    /// Stopped (SIGSTOP, or just not scheduled) until then.
    private(set) var stoppedUntil: Int64 = 0
    private(set) var isDead = false

    /// Its boot clock runs this much faster than true time, and began somewhere.
    let rate: Double
    private let bootOffset: Int64
    /// Its wall clock is so many seconds ahead of true time.
    var wallOffsetSeconds: Int64 = 0 { didSet { clockSteppedAt = agenda.now } }
    private(set) var clockSteppedAt: Int64 = .min

    init(name: String, agenda: Agenda, chance: SeededRandom, drift: Double) {
        self.name = name
        self.agenda = agenda
        self.chance = chance
        rate = 1 + self.chance.next(in: -drift...drift)
        bootOffset = .seconds(Double.random(in: 3600...100_000, using: &self.chance))
    }

    // MARK: what the runtime hands over

    func enqueue(_ job: consuming ExecutorJob) { ready.append(.job(UnownedJob(job))) }

    /// Something happens to this process: a packet arrives, a timer fires.
    func call(_ body: @escaping () -> Void) { ready.append(.call(body)) }

    var canRun: Bool { !ready.isEmpty && !isDead && agenda.now >= stoppedUntil }

    /// When it can run again, if it has something to run.
    var wakesAt: Int64? { ready.isEmpty || isDead ? nil : stoppedUntil }

    /// One of the things that it could do now.
    func runOne() {
        let index = ready.count == 1 ? 0 : Int.random(in: ready.indices, using: &chance)
        ready.swapAt(index, ready.count - 1)
        switch ready.removeLast() {
        case .job(let job): job.runSynchronously(on: asUnownedTaskExecutor())
        case .call(let body): body()
        }
    }

    // MARK: faults

    func stop(for nanoseconds: Int64) { stoppedUntil = max(stoppedUntil, agenda.now + nanoseconds) }
    func kill() { isDead = true }

    /// At the end of a run everything is let go, so that no task is left behind.
    func revive() {
        isDead = false
        stoppedUntil = 0
    }

    // MARK: Surroundings

    var uptime: Duration { .nanoseconds(bootOffset + Int64(Double(agenda.now) * rate)) }
    /// As fast as wall clocks, and stepped by nobody.
    var age: Duration { .nanoseconds(bootOffset + Int64(Double(agenda.now * agenda.pace) * rate)) }
    var wallSeconds: Int64 { agenda.wallSeconds + wallOffsetSeconds }
    func random() -> UInt64 { chance.next() }

    func schedule(in duration: Duration, _ work: @escaping @Sendable () -> Void) { after(duration, work) }

    /// The same for the simulation's own parts.
    func after(_ duration: Duration, _ work: @escaping () -> Void) {
        agenda.after(trueNanoseconds(duration)) { [self] in call(work) }
    }

    func sleep(for duration: Duration) async throws {
        let sleeper = Sleeper()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                sleeper.begin(continuation)
                agenda.after(trueNanoseconds(duration)) { [self] in call { sleeper.wake() } }
            }
        } onCancel: {
            sleeper.wake()
        }
        try Task.checkCancellation()
    }

    private func trueNanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = max(.zero, duration).components
        return Int64((Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / rate)
    }
}

/// What the world's clocks show when a run begins.
enum SimulatedTime {
    /// 2026-11-25T00:00:00Z.
    static let origin: Int64 = 1_795_564_800
}

/// Woken once, by its timer or by the end of its task.
private final class Sleeper: @unchecked Sendable {  // one thread runs the whole simulation
    private var continuation: CheckedContinuation<Void, Never>?
    private var isAwake = false

    func begin(_ continuation: CheckedContinuation<Void, Never>) {
        if isAwake { return continuation.resume() }
        self.continuation = continuation
    }

    func wake() {
        isAwake = true
        continuation?.resume()
        continuation = nil
    }
}

extension SeededRandom {
    mutating func next(in range: ClosedRange<Double>) -> Double { .random(in: range, using: &self) }
}
