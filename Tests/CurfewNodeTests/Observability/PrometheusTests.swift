// The text format and the registry: what Prometheus reads must be exactly that, and nothing may grow without a bound.

import CoreMetrics
import Testing

@testable import CurfewNode

@Suite("Prometheus") struct PrometheusTests {
    private func text(_ factory: PrometheusFactory) -> String {
        var text = PrometheusText()
        factory.write(to: &text)
        return text.text
    }

    @Test("families come in the order of their names, HELP and TYPE once each, series in the order of their labels")
    func order() {
        let factory = PrometheusFactory([.init(name: "b_total", help: "Bees."), .init(name: "a", help: "An a.")])
        Counter(label: "b_total", dimensions: [("kind", "wild")], factory: factory).increment(by: 2)
        Counter(label: "b_total", dimensions: [("kind", "tame")], factory: factory).increment()
        Meter(label: "a", factory: factory).set(0.5)
        #expect(
            text(factory) == """
                # HELP a An a.
                # TYPE a gauge
                a 0.5
                # HELP b_total Bees.
                # TYPE b_total counter
                b_total{kind="tame"} 1
                b_total{kind="wild"} 2

                """)
    }

    @Test("a histogram has every bucket cumulated, +Inf, its sum and count; a bound is in its bucket")
    func histogram() {
        let factory = PrometheusFactory([.init(name: "h", help: "H.", buckets: [0.5, 1])])
        let recorder = Recorder(label: "h", dimensions: [], aggregate: true, factory: factory)
        for value in [0.25, 0.5, 1, 2, .nan, .infinity] { recorder.record(value) }
        #expect(
            text(factory) == """
                # HELP h H.
                # TYPE h histogram
                h_bucket{le="0.5"} 2
                h_bucket{le="1"} 3
                h_bucket{le="+Inf"} 4
                h_sum 3.75
                h_count 4

                """)
    }

    @Test("a label's value can't break out of its line, nor a help")
    func escaping() {
        let factory = PrometheusFactory([.init(name: "c", help: "a\\b\nc\"d")])
        Counter(label: "c", dimensions: [("l", "x\"} 1\ny\\")], factory: factory).increment()
        #expect(text(factory) == "# HELP c a\\\\b\\nc\"d\n# TYPE c counter\nc{l=\"x\\\"} 1\\ny\\\\\"} 1\n")
    }

    @Test(
        "numbers are as the format has them",
        arguments: zip(
            [0, 3, 0.25, -1, .infinity, -.infinity, .nan], ["0", "3", "0.25", "-1", "+Inf", "-Inf", "NaN"]))
    func numbers(value: Double, text: String) { #expect(PrometheusText.number(value) == text) }

    @Test("what is over a family's bound is counted as other, and nothing is lost")
    func seriesBound() {
        let factory = PrometheusFactory([])
        for index in 0..<1_000 {
            Counter(label: "c", dimensions: [("l", "v\(index)")], factory: factory).increment()
        }
        let lines = text(factory).split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.count == PrometheusFactory.maximumSeries)
        #expect(lines.contains("c{l=\"other\"} \(1_000 - PrometheusFactory.maximumSeries + 1)"))
    }

    @Test("there is a bound of families, too")
    func familyBound() {
        let factory = PrometheusFactory([])
        for index in 0..<1_000 { Counter(label: "c\(index)", factory: factory).increment() }
        #expect(text(factory).split(separator: "\n").count == PrometheusFactory.maximumFamilies * 3)
    }

    @Test("a counter never falls, and a name has one type")
    func misuse() {
        let factory = PrometheusFactory([])
        let counter = factory.makeCounter(label: "c", dimensions: [])
        counter.increment(by: 3)
        counter.increment(by: -2)
        counter.reset()
        factory.makeMeter(label: "c", dimensions: []).set(99.0)
        #expect(text(factory) == "# HELP c \n# TYPE c counter\nc 3\n")
    }

    @Test("counts from many threads at once are all there")
    func threads() async {
        let counter = StripedCounter()
        await withTaskGroup(of: Void.self) { group in
            for lane in 0..<32 { group.addTask { for _ in 0..<10_000 { counter.add(stripe: lane) } } }
        }
        #expect(counter.value == 320_000)
    }

    @Test("memory of any thread has a stripe")
    func stripes() {
        for bits in [1, 16, 4_096, 65_536, Int.max, -1] {
            let stripe = StripedCounter.stripe(of: UnsafeMutableRawPointer(bitPattern: bits))
            #expect((0..<StripedCounter.stripes).contains(stripe))
        }
    }
}
