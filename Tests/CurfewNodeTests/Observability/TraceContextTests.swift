// W3C Trace Context: what is a traceparent, and what is not.

import Logging
import Testing

@testable import CurfewNode

@Suite("traceparent") struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"

    @Test(
        "a valid one gives its trace and span, one of a later version too",
        arguments: [
            "00-\(trace)-\(span)-01", "00-\(trace)-\(span)-ff", "cc-\(trace)-\(span)-01-what-will-be",
        ])
    func valid(text: String) throws {
        let context = try #require(TraceContext(text))
        #expect(context.traceID == Self.trace && context.spanID == Self.span)
    }

    @Test(
        "anything else is none",
        arguments: [
            "", "00", "ff-\(trace)-\(span)-01", "00-\(trace)-\(span)-01-more", "00-\(trace)-\(span)-01 ",
            "00-\(trace)-\(span)-0", "00-\(trace.uppercased())-\(span)-01",
            "00-\(String(repeating: "0", count: 32))-\(span)-01",
            "00-\(trace)-0000000000000000-01", "00_\(trace)-\(span)-01", "0g-\(trace)-\(span)-01",
            "cc-\(trace)-\(span)-01x",
            "cc-\(trace)-\(span)-01-" + String(repeating: "a", count: 1_000), "00-\(trace.dropLast())\n-\(span)-01",
        ])
    func invalid(text: String) { #expect(TraceContext(text) == nil) }

    @Test("log lines of a request carry it, others nothing")
    func metadata() {
        let context = TraceContext("00-\(Self.trace)-\(Self.span)-01")
        TraceContext.$current.withValue(context) {
            let metadata = TraceContext.metadataProvider.get()
            #expect(metadata == ["trace_id": "\(Self.trace)", "span_id": "\(Self.span)"])
        }
        #expect(TraceContext.metadataProvider.get().isEmpty)
    }
}
