// Sends one command to Redis again and again at a given pace, some at a time, and waits for each answer, which must be nil. Each
// `__rand_int__` in it becomes twelve digits that no other call has.
//
//     pace --redis-socket PATH --command PATH --calls N --rate N --together N
//                                            (the command's words, each ended by a NUL; N calls a second)

import Glibc
import Wire

struct Pace {
    private static let place = Array("__rand_int__".utf8)
    private static let answer = Array("$-1\r\n".utf8)

    let redis: Redis
    let words: [[UInt8]]
    let calls: Int
    let rate: Int
    let together: Int

    init() throws(WireError) {
        let arguments = try Arguments()
        redis = try Redis(path: arguments.text("redis-socket"))
        words = try readFile(arguments.text("command")).split(separator: 0, omittingEmptySubsequences: false).dropLast()
            .map(Array.init)
        (calls, rate) = (try arguments.number("calls"), try arguments.number("rate"))
        together = try arguments.number("together")
        guard calls > 0, rate > 0, together > 0 else { throw WireError("expected numbers above 0") }
    }

    func run() throws(WireError) {
        let start = Pace.now()
        var sent = 0
        while sent < calls {
            Pace.sleep(until: start + sent * 1_000_000_000 / rate)
            let count = min(together, calls - sent)
            var bytes: [UInt8] = []
            for number in sent..<(sent + count) { bytes += Redis.command(words.map { Pace.word($0, number) }) }
            try redis.socket.send(bytes)
            for _ in 0..<count { try redis.expect(Pace.answer) }
            sent += count
        }
    }

    private static func word(_ word: [UInt8], _ number: Int) -> [UInt8] {
        guard let start = word.indices.first(where: { word[$0...].starts(with: place) }) else { return word }
        let digits = String(number + 1_000_000_000_000).utf8.dropFirst()
        return Array(word[..<start]) + digits + word[(start + place.count)...]
    }

    /// Nanoseconds.
    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    private static func sleep(until moment: Int) {
        var time = timespec(tv_sec: moment / 1_000_000_000, tv_nsec: moment % 1_000_000_000)
        while clock_nanosleep(CLOCK_MONOTONIC, Int32(TIMER_ABSTIME), &time, nil) == EINTR {}
    }
}

run { try Pace().run() }
