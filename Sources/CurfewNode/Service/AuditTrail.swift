// Reading the audit log's stream: from a moment on, without an end, what was written twice once.

import CurfewCore
import CurfewRedis
import Logging
import ServiceLifecycle
import Synchronization

/// One entry, as it is kept.
package struct AuditRecord: Sendable, Equatable {
    /// Of the stream: Redis' time and a number.
    package var id: String
    /// One line of JSON.
    package var line: [UInt8]
}

/// Which entries are wanted: where something is said here, those that say the same.
package struct AuditFilter: Sendable, Equatable {
    package var user: String?
    package var session: String?
    package var event: AuditEntry.Event?

    package init() {}

    func takes(_ line: [UInt8]) -> Bool {
        // An entry is one line; whoever can write to Redis could write anything.
        guard !line.isEmpty, line.allSatisfy({ $0 >= 0x20 }) else { return false }
        guard self != AuditFilter() else { return true }
        guard let value = try? line.withUnsafeBytes({ try JSONParser.parse($0) }), case .object(let members) = value
        else { return false }
        func says(_ name: String, _ wanted: String?) -> Bool {
            wanted.map { wanted in members.contains { $0.name == name && $0.value == .string(wanted) } } ?? true
        }
        return says("userId", user) && says("sessionId", session) && says("event", event?.rawValue)
    }
}

/// From where on.
package enum AuditStart: Sendable, Equatable {
    case now
    case time(WallTime)
    /// After this entry.
    case after(String)
}

/// Those who read along at one node.
final class AuditReaders: Sendable {
    static let maximum = 64
    private let count = Mutex(0)

    /// One of their places, which is free again with the last who has it: an answer may never be begun.
    final class Place: Sendable {
        private let readers: AuditReaders

        fileprivate init(_ readers: AuditReaders) { self.readers = readers }

        deinit { readers.count.withLock { $0 -= 1 } }
    }

    func enter() -> Place? {
        count.withLock { count in
            guard count < Self.maximum else { return nil }
            count += 1
            return Place(self)
        }
    }
}

/// A reader's place and where it begins.
package struct AuditTrail: Sendable {
    fileprivate let place: AuditReaders.Place
    /// The id after which it begins: whoever comes back with it has missed nothing.
    package let start: String
    fileprivate let filter: AuditFilter
}

extension SessionService {
    /// Between two looks.
    private static let auditInterval = Duration.milliseconds(250)
    private static let auditHeartbeat = Duration.seconds(15)
    private static let auditPage = 500
    /// Nodes whose numbers one reader remembers.
    private static let maximumAuditNodes = 4_096

    /// Takes a place among those who read along: from here on nothing is missed. Throws `overloaded`, and `redisUnavailable` where it
    /// can't be told when now is.
    package func openAudit(from start: AuditStart, _ filter: AuditFilter) async throws(ServiceError) -> AuditTrail {
        guard let place = auditReaders.enter() else {
            throw .overloaded(detail: "\(AuditReaders.maximum) others read the audit log at this node")
        }
        return AuditTrail(place: place, start: try await position(of: start), filter: filter)
    }

    /// Tells each entry as it comes, and `nil` where there was none for a while, until `send` throws, the node stops, or who reads may no more. A Redis that does
    /// not answer is waited for.
    package func followAudit(
        _ trail: AuditTrail, while mayRead: () -> Bool, _ send: (AuditRecord?) async throws -> Void
    ) async throws {
        var position = trail.start
        var seen: [String: UInt64] = [:]
        var toldAt = surroundings.uptime
        var isTroubled = false
        while !Task.isShuttingDownGracefully, !Task.isCancelled, mayRead() {
            let page: [AuditPageEntry]
            do throws(ServiceError) {
                page = try await self.page(after: position)
                isTroubled = false
            } catch {
                page = []
                // Once until it answers again.
                if !isTroubled { logger.warning("the audit log can't be read", metadata: ["error": "\(error)"]) }
                isTroubled = true
            }
            for entry in page {
                position = entry.id
                guard let (record, node, number) = entry.content else { continue }
                if number <= seen[node] ?? 0 { continue }
                if seen.count >= Self.maximumAuditNodes { seen.removeAll() }
                seen[node] = number
                guard trail.filter.takes(record.line) else { continue }
                try await send(record)
                toldAt = surroundings.uptime
            }
            if surroundings.uptime - toldAt >= Self.auditHeartbeat {
                try await send(nil)
                toldAt = surroundings.uptime
            }
            if page.count < Self.auditPage { try await surroundings.sleep(for: Self.auditInterval) }
        }
    }

    /// The last id that there can be before the moment.
    private func position(of start: AuditStart) async throws(ServiceError) -> String {
        switch start {
        case .after(let id): return id
        case .time(let time): return Self.lastID(before: max(0, time.seconds) * 1000)
        case .now:
            return try await read(from: Partition(0)) { client throws(RedisError) in
                Self.lastID(before: try await client.send(RedisCommand("TIME", [])).unixMilliseconds())
            }
        }
    }

    private static func lastID(before milliseconds: Int64) -> String {
        milliseconds == 0 ? "0-0" : "\(milliseconds - 1)-\(UInt64.max)"
    }

    private func page(after position: String) async throws(ServiceError) -> [AuditPageEntry] {
        let command = RedisCommand(
            "XRANGE",
            [RedisArgument(keys.audit), RedisArgument("(\(position)"), "+", "COUNT", RedisArgument(Self.auditPage)])
        return try await read(from: Partition(0)) { client throws(RedisError) in
            try await client.send(command).array(for: "XRANGE").map { entry throws(RedisError) in
                let parts = try entry.array(for: "XRANGE")
                guard parts.count == 2 else { throw .unexpectedReply(operation: "XRANGE", expected: "an entry") }
                let id = try parts[0].text(for: "XRANGE")
                return AuditPageEntry(id: id, content: try? Self.content(id, parts))
            }
        }
    }

    private static func content(
        _ id: String, _ parts: [RedisValue]
    ) throws(RedisError) -> (record: AuditRecord, node: String, number: UInt64) {
        var (record, node, number) = (AuditRecord(id: id, line: []), "", UInt64(0))
        let fields = try parts[1].array(for: "XRANGE")
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            switch try fields[index].text(for: "XRANGE") {
            case "j": record.line = Array(try fields[index + 1].bytes(for: "XRANGE"))
            case "n": node = try fields[index + 1].text(for: "XRANGE")
            case "i": number = UInt64(try fields[index + 1].text(for: "XRANGE")) ?? 0
            default: break
            }
        }
        return (record, node, number)
    }
}

/// One entry of the stream.
private struct AuditPageEntry {
    let id: String
    /// `nil` of what no node wrote: it is passed over.
    let content: (record: AuditRecord, node: String, number: UInt64)?
}
