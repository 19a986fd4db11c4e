// How often the audit log is told of a wrong fingerprint.

import CurfewCore
import Testing

@testable import CurfewNode

@Suite("Wrong fingerprints that were told of")
struct ToldMismatchesTests {
    private func session(_ low: UInt64) -> SessionID { SessionID(partition: Partition(1), high: 1, low: low) }

    @Test("each login is told of once a minute, by whatever id of it, and any number of logins takes no more memory")
    func bounded() {
        let told = ToldMismatches()
        let (first, second) = (session(1), session(2))
        #expect(told.mayTell(of: first, at: .seconds(10)))
        #expect(!told.mayTell(of: first.rotated(to: 3), at: .seconds(69)))
        #expect(told.mayTell(of: second, at: .seconds(69)))
        #expect(told.mayTell(of: first, at: .seconds(70)))
        for low in 3..<UInt64(3 + 2 * ToldMismatches.maximum) {
            #expect(told.mayTell(of: session(low), at: .seconds(71)))
        }
        #expect(told.count <= ToldMismatches.maximum)
    }
}
