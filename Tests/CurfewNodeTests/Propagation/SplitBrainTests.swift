// Which settings of a primary leave room for two at once.

import CurfewNode
import Testing

@Suite struct SplitBrainTests {
    private func warnings(_ replicas: Int?, _ lag: Int?, _ delay: Duration?) -> [String] {
        SplitBrain(replicasToWrite: replicas, maximumLagSeconds: lag, failoverDelay: delay).warnings
    }

    @Test("no warning where the old primary stops before another is chosen, or nothing is known")
    func certain() {
        #expect(warnings(1, 10, .seconds(30)).isEmpty)
        #expect(warnings(2, 10, .seconds(10)).isEmpty)
        #expect(warnings(1, 10, nil).isEmpty)
        #expect(warnings(nil, nil, .seconds(1)).isEmpty)
    }

    @Test("a primary that never stops is told, whatever the failover takes")
    func neverStops() throws {
        for delay in [nil, Duration.seconds(30)] {
            #expect(try #require(warnings(0, 10, delay).first).contains("min-replicas-to-write is 0"))
            #expect(try #require(warnings(1, 0, delay).first).contains("min-replicas-max-lag is 0"))
        }
    }

    @Test("a lag that is longer than the failover waits is told, with both")
    func stopsTooLate() throws {
        let text = try #require(warnings(1, 10, .milliseconds(9_999)).first)
        #expect(text.contains("min-replicas-max-lag is 10 s") && text.contains("after 9999 ms"))
    }
}
