// The place of a request in a trace that its caller keeps (W3C Trace Context, level 1): only so that log lines can be found by it. A
// header that is not exactly as the standard has it is no header; it never decides anything, and never makes a request fail.

import Logging

/// Of a `traceparent` field.
struct TraceContext: Sendable, Equatable {
    /// 32 lower-case hexadecimal digits.
    let traceID: String
    /// 16 lower-case hexadecimal digits: the caller's span.
    let spanID: String

    /// That of the request which the current task answers.
    @TaskLocal static var current: TraceContext?

    /// Adds `trace_id` and `span_id` to the lines that are logged for a request.
    static let metadataProvider = Logger.MetadataProvider {
        current.map { ["trace_id": "\($0.traceID)", "span_id": "\($0.spanID)"] } ?? [:]
    }

    /// `version-traceid-parentid-flags` (section 3.2.2). Version `ff` is invalid; a higher one than `00` may go on after its flags.
    init?(_ text: String) {
        let bytes = Array(text.utf8.prefix(Self.maximumBytes + 1))
        guard bytes.count >= 55, bytes.count <= Self.maximumBytes else { return nil }
        guard [2, 35, 52].allSatisfy({ bytes[$0] == UInt8(ascii: "-") }),
            [0..<2, 3..<35, 36..<52, 53..<55].allSatisfy({ bytes[$0].allSatisfy(Self.isDigit) })
        else { return nil }
        let version = String(decoding: bytes[0..<2], as: UTF8.self)
        guard version != "ff", bytes.count == 55 || (version != "00" && bytes[55] == UInt8(ascii: "-")) else {
            return nil
        }
        traceID = String(decoding: bytes[3..<35], as: UTF8.self)
        spanID = String(decoding: bytes[36..<52], as: UTF8.self)
        guard traceID.contains(where: { $0 != "0" }), spanID.contains(where: { $0 != "0" }) else { return nil }
    }

    /// Longest field that is looked at.
    static let maximumBytes = 512

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}

extension Array {
    /// Of an array of one.
    var onlyElement: Element? { count == 1 ? self[0] : nil }
}
