// How long one verdict takes beside the bare HMAC of the same bytes: medians of runs that take turns, in one process
// and on one thread. Prints a JSON line and a readable one.
//
//     swift run -c release verdict

import CAllocations

@main
struct Benchmark {
    /// Short runs and many of them: the medians then hold on a busy machine too.
    static let runs = 401
    static let iterations = 1_000

    static func main() throws {
        guard let subject = try Subject(), (0..<256).allSatisfy(subject.judge) else {
            fatalError("the tokens must be good")
        }
        let code = UnsafeMutablePointer<UInt8>.allocate(capacity: 32)
        let bare = BareHMAC(secret: Subject.secret)
        let reinitialised = ReinitialisedHMAC(secret: Subject.secret)
        let signed = subject.tokens.map { Array($0.dropLast(44)) }

        var times: [[Double]] = [[], [], []]
        for _ in 0..<runs {
            times[0].append(nanoseconds { _ = subject.judge($0) })
            times[1].append(nanoseconds { signed[$0 % 256].withUnsafeBytes { bare.authenticate($0, into: code) } })
            times[2].append(
                nanoseconds { signed[$0 % 256].withUnsafeBytes { reinitialised.authenticate($0, into: code) } })
        }
        let before = allocation_count()
        for index in 0..<iterations { _ = subject.judge(index) }
        let allocations = Double(allocation_count() - before) / Double(iterations)
        report(bytes: subject.tokens[0].count, times, allocations: allocations)
    }

    /// Per call of `body`.
    static func nanoseconds(_ body: (Int) -> Void) -> Double {
        let duration = ContinuousClock().measure { for index in 0..<iterations { body(index) } }
        return duration / .nanoseconds(1) / Double(iterations)
    }

    static func report(bytes: Int, _ times: [[Double]], allocations: Double) {
        let (verdict, bare, again) = (median(times[0]), median(times[1]), median(times[2]))
        let perBare = median(zip(times[0], times[1]).map { $0 / $1 })
        let perAgain = median(zip(times[0], times[2]).map { $0 / $1 })
        print(
            """
            {"benchmark":"verdict","tokenBytes":\(bytes),"verdictNanoseconds":\(verdict),\
            "bareHMACNanoseconds":\(bare),"reinitialisedHMACNanoseconds":\(again),"verdictPerBareHMAC":\(perBare),\
            "verdictPerReinitialisedHMAC":\(perAgain),"allocationsPerVerdict":\(allocations)}
            """)
        print(
            """
            verdict \(verdict) ns for a token of \(bytes) bytes: \(perBare) × the bare HMAC (\(bare) ns), \
            \(perAgain) × a re-initialised HMAC context (\(again) ns), \(allocations) heap allocations
            """)
    }

    /// To two places.
    static func median(_ values: [Double]) -> Double { (values.sorted()[values.count / 2] * 100).rounded() / 100 }
}
