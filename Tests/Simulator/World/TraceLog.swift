// The nodes' own log lines, in the trace of a run that is looked at.

import Logging

// `@unchecked Sendable`: one thread runs the whole simulation.
struct TraceLog: LogHandler, @unchecked Sendable {
    let trace: Trace
    let name: String
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        trace.note(name, "log: \(event.message) \(details.joined(separator: " "))")
    }
}
