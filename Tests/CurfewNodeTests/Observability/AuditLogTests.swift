// The audit log: lines that nobody can forge by a name, and a queue that nobody waits for.

import CurfewCore
import Foundation
import Logging
import Synchronization
import Testing

@testable import CurfewNode

@Suite("Audit log") struct AuditLogTests {
    private func entry(_ change: (inout AuditEntry) -> Void = { _ in }) throws -> AuditEntry {
        var entry = AuditEntry(.sessionCreated, at: WallTime(seconds: 1_769_851_800))
        entry.user = UserID("u_42")
        change(&entry)
        return entry
    }

    @Test("an entry is a line of the members that are known, in the order that is documented")
    func members() throws {
        let line = try entry { entry in
            entry.session = SessionID(partition: Partition(3), high: 1, low: 2)
            (entry.ipAddress, entry.userAgent) = ("203.0.113.9", "Mozilla/5.0")
            (entry.device, entry.reason, entry.signal) = (DeviceID("phone"), "logout", .newDevice)
        }.line
        let session = SessionID(partition: Partition(3), high: 1, low: 2)
        #expect(
            String(decoding: line, as: UTF8.self)
                == "{\"event\":\"session.created\",\"timestamp\":\"2026-01-31T09:30:00Z\",\"userId\":\"u_42\","
                + "\"sessionId\":\"\(session)\",\"ipAddress\":\"203.0.113.9\",\"userAgent\":\"Mozilla/5.0\","
                + "\"deviceId\":\"phone\",\"reason\":\"logout\",\"signal\":\"new_device\"}\n")
    }

    @Test(
        "whatever a client calls itself stays within its string, and reads back as it was",
        arguments: [
            "\n{\"event\":\"session.terminated\"}", "\r\n", "\"}\n{", "\\", "\u{1B}[2J", "\u{0}", "\u{85}", "\u{9B}31m",
            "\u{2028}",
            "\u{2029}", "\u{202E}txt.exe", "\u{2066}", "\u{7F}", "\u{FEFF}",
        ])
    func injection(name: String) throws {
        let line = try entry { $0.userAgent = "a\(name)b" }.line
        #expect(line.filter { $0 == UInt8(ascii: "\n") }.count == 1 && line.last == UInt8(ascii: "\n"))
        let text = String(decoding: line, as: UTF8.self)
        for scalar in text.unicodeScalars.dropLast() {
            #expect(
                !scalar.properties.isDefaultIgnorableCodePoint && scalar.properties.generalCategory != .control
                    && ![0x2028, 0x2029].contains(scalar.value))
        }
        let read = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: String])
        #expect(read["userAgent"] == "a\(name)b" && read["event"] == "session.created" && read.count == 4)
    }

    @Test("no line is longer than a pipe takes as a whole, whatever is in it")
    func bounded() throws {
        let hidden = String(repeating: "\u{1}", count: 512)
        for (userAgent, hasIt) in [(String(repeating: "x", count: 512), true), (hidden + hidden, false)] {
            let line = try entry { entry in
                entry.userAgent = userAgent
                entry.user = UserID(String(repeating: "\u{2028}", count: 42))
            }.line
            #expect(line.count <= AuditEntry.maximumLineBytes)
            #expect(String(decoding: line, as: UTF8.self).contains("userAgent") == hasIt)
        }
    }

    @Test(
        "a reader that stalls keeps nobody waiting: what is too much is counted, the first of it is logged, and the rest arrives"
    )
    func stalled() async throws {
        let (pipe, logged) = (Pipe(), LoggedLines())
        let log = AuditLog(
            descriptor: pipe.fileHandleForWriting.fileDescriptor,
            logger: Logger(label: "audit") { _ in ListHandler(lines: logged) })
        let (running, total) = (Task { try await log.run() }, 3 * AuditLog.maximumWaiting)
        let entry = try entry { $0.userAgent = String(repeating: "x", count: 100) }
        for _ in 0..<total { log.record(entry) }
        #expect(log.dropped > 0)
        #expect(logged.texts.count == 1 && logged.texts[0].contains("dropped"))
        let reader = Task.detached { () -> Int in
            var lines = 0
            while true {
                let data = pipe.fileHandleForReading.availableData
                if data.isEmpty { return lines }
                lines += data.count { $0 == UInt8(ascii: "\n") }
            }
        }
        log.stop()
        try await running.value
        try pipe.fileHandleForWriting.close()
        #expect(await reader.value == total - Int(log.dropped))
        #expect(logged.texts.count == 1, "not once an entry")
    }

    @Test("a node that stops ends, although nobody reads, and counts what is left as dropped")
    func stops() async throws {
        let pipe = Pipe()
        let log = AuditLog(descriptor: pipe.fileHandleForWriting.fileDescriptor, logger: Logger(label: "audit"))
        let running = Task { try await log.run() }
        for _ in 0..<2_000 { log.record(try entry { $0.userAgent = String(repeating: "x", count: 100) }) }
        log.stop()
        try await running.value
        let capacity = 65_536 / 200
        #expect(log.dropped >= 2_000 - UInt64(capacity) && log.dropped <= 2_000)
    }

    @Test("a pipe that was closed ends no node")
    func closed() async throws {
        let pipe = Pipe()
        let log = AuditLog(descriptor: pipe.fileHandleForWriting.fileDescriptor, logger: Logger(label: "audit"))
        try pipe.fileHandleForReading.close()
        let running = Task { try await log.run() }
        for _ in 0..<3 { log.record(try entry()) }
        log.stop()
        try await running.value
        #expect(log.dropped == 3)
    }
}

private final class LoggedLines: Sendable {
    private let lines = Mutex<[String]>([])
    var texts: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct ListHandler: LogHandler {
    let lines: LoggedLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.add("\(event.message)") }
}
