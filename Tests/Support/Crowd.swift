// Many clients of one port on one thread: as many as an overload needs, without a thread or a task for each, so that what a
// test measures is the node and not its own scheduler.

import Dispatch
import Glibc
import Synchronization

/// An answer that one of the crowd got.
package struct CrowdAnswer: Sendable {
    package let answer: HTTPAnswer
    /// From sending the request to reading the answer's last byte.
    package let elapsed: Duration

    package var status: Int { answer.status }
    /// Refused as one too many, in the documented form.
    package var isOverloaded: Bool {
        answer.status == 503 && answer.code == "overloaded" && answer.header("retry-after") != nil
    }
}

package enum CrowdError: Error {
    /// The other side has not ended a connection in time.
    case stillOpen
}

/// Connections that all say the same. Safe from any thread, one call at a time.
package final class Crowd: Sendable {
    private struct Member {
        var descriptor: Int32
        /// Said, but not yet taken.
        var unsent: [UInt8] = []
        var received: [UInt8] = []
        var askedAt: Int64 = 0
        var isWaiting = false
        var answers = 0
        var roundsLeft = 0
    }

    private let members: Mutex<[Member]>

    /// Connects `count` times; fewer where the system refuses.
    package init(port: Int, count: Int) async {
        let members = await onOwnThread {
            (0..<count).compactMap { _ in Self.connected(to: port).map { Member(descriptor: $0) } }
        }
        self.members = Mutex(members)
    }

    deinit { members.withLock { members in for member in members { close(member.descriptor) } } }

    package var count: Int { members.withLock { $0.count } }
    /// Connections that were never answered anything.
    package var unansweredCount: Int { members.withLock { $0.count { $0.answers == 0 } } }
    /// For how long the one that waits longest has, on a connection that still stands.
    package var longestWait: Duration {
        let now = BootClock.now
        return .nanoseconds(members.withLock { $0.filter(\.isWaiting).map { now - $0.askedAt }.max() ?? 0 })
    }

    /// Says the same on every connection, or the rest of what was said before where that was not taken whole. How many
    /// bytes were taken now.
    @discardableResult
    package func say(_ bytes: [UInt8]) -> Int { members.withLock { Self.say(bytes, on: &$0, rounds: 1) } }

    /// Asks the same on every connection, each time that it has been answered, `rounds` times in all. Gives what was
    /// answered until nobody waits any more, or time is up.
    package func ask(
        _ request: [UInt8], rounds: Int = 1, within limit: Duration = .seconds(30)
    ) async throws -> [CrowdAnswer] {
        try await onOwnThread { [self] in
            try members.withLock { members in
                _ = Self.say(request, on: &members, rounds: rounds)
                return try Self.collect(.max, from: &members, again: request, within: limit)
            }
        }
    }

    /// The answers to what was said, until there are `wanted`, nobody waits any more, or time is up.
    package func collect(_ wanted: Int = .max, within limit: Duration = .seconds(30)) async throws -> [CrowdAnswer] {
        try await onOwnThread { [self] in
            try members.withLock { try Self.collect(wanted, from: &$0, again: nil, within: limit) }
        }
    }

    /// What each was told until its connection was ended by the other side.
    package func untilEnded(within limit: Duration = .seconds(30)) async throws -> [String] {
        try await onOwnThread { [self] in
            try members.withLock { members in
                let deadline = BootClock.now + Int64(limit / .nanoseconds(1))
                return try members.indices.map { index in
                    while try !Self.readRest(&members[index], until: deadline) {}
                    return String(decoding: members[index].received, as: UTF8.self)
                }
            }
        }
    }

    /// Whether that was the last.
    private static func readRest(_ member: inout Member, until deadline: Int64) throws -> Bool {
        guard BootClock.now < deadline else { throw CrowdError.stillOpen }
        var place = pollfd(fd: member.descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&place, 1, 100) > 0 else { return false }
        var piece = [UInt8](repeating: 0, count: 16 * 1024)
        let count = recv(member.descriptor, &piece, piece.count, 0)
        if count > 0 { member.received += piece.prefix(count) }
        return count == 0 || (count < 0 && errno != EAGAIN)
    }

    /// Ends all connections; what was asked is not waited for.
    package func leave() {
        members.withLock { members in
            for member in members { close(member.descriptor) }
            members = []
        }
    }

    /// How many connections the peer has not ended. Throws away what it said.
    package func openCount() -> Int {
        members.withLock { members in
            members.count { member in
                var piece = [UInt8](repeating: 0, count: 4096)
                while true {
                    let count = recv(member.descriptor, &piece, piece.count, 0)
                    if count > 0 { continue }
                    return count < 0 && errno == EAGAIN
                }
            }
        }
    }

    private static func connected(to port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in.loopback(port)
        let outcome = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard outcome == 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func say(_ bytes: [UInt8], on members: inout [Member], rounds: Int) -> Int {
        var taken = 0
        for index in members.indices {
            members[index].askedAt = BootClock.now
            members[index].isWaiting = true
            members[index].roundsLeft = rounds - 1
            if members[index].unsent.isEmpty { members[index].unsent = bytes }
            let unsent = members[index].unsent
            let sent = max(0, send(members[index].descriptor, unsent, unsent.count, Int32(MSG_NOSIGNAL)))
            members[index].unsent.removeFirst(sent)
            taken += sent
        }
        return taken
    }

    private static func collect(
        _ wanted: Int, from members: inout [Member], again request: [UInt8]?, within limit: Duration
    ) throws -> [CrowdAnswer] {
        let deadline = BootClock.now + Int64(limit / .nanoseconds(1))
        var answers: [CrowdAnswer] = []
        while answers.count < wanted, BootClock.now < deadline {
            let waiting = members.indices.filter { members[$0].isWaiting }
            guard !waiting.isEmpty else { break }
            var polls = waiting.map { pollfd(fd: members[$0].descriptor, events: Int16(POLLIN), revents: 0) }
            guard poll(&polls, nfds_t(polls.count), 100) > 0 else { continue }
            for (place, index) in zip(polls, waiting) where place.revents != 0 {
                try read(&members[index], again: request, into: &answers)
            }
        }
        return answers
    }

    private static func read(
        _ member: inout Member, again request: [UInt8]?, into answers: inout [CrowdAnswer]
    ) throws {
        var piece = [UInt8](repeating: 0, count: 16 * 1024)
        let count = recv(member.descriptor, &piece, piece.count, 0)
        guard count > 0 else {
            if count == 0 || errno != EAGAIN { member.isWaiting = false }
            return
        }
        member.received += piece.prefix(count)
        while let answer = try HTTPAnswer.first(in: &member.received) {
            let now = BootClock.now
            member.answers += 1
            answers.append(CrowdAnswer(answer: answer, elapsed: .nanoseconds(now - member.askedAt)))
            guard let request, member.roundsLeft > 0, answer.header("connection") != "close" else {
                member.isWaiting = false
                continue
            }
            member.roundsLeft -= 1
            member.askedAt = now
            _ = send(member.descriptor, request, request.count, Int32(MSG_NOSIGNAL))
        }
    }
}

/// Runs what blocks where no task waits behind it.
private func onOwnThread<Value: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Value
) async throws(Failure) -> Value {
    let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, Failure>, Never>) in
        DispatchQueue.global().async {
            do throws(Failure) {
                continuation.resume(returning: .success(try body()))
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
    }
    return try result.get()
}
