// Single-use values for logins that leave the application and come back (OAuth's `state`, RFC 6749 section 10.12). Redis has their
// hash only. Each remembers how far every partition's stamps were when it was made: a cutoff since then has a higher one, so a login
// that was begun before a "log out everywhere" does not outlive it.

import CurfewCore
import CurfewRedis

/// A value that was made.
package struct LoginState: Sendable {
    /// Opaque, 256 random bits.
    package var text: String
    package var expiresAt: WallTime
}

/// What a value held.
struct ConsumedState: Sendable {
    /// A JSON object's text.
    let dataJSON: String
    /// By partition's index.
    let marks: [Stamp]
}

extension SessionService {
    /// How long a value may last: no cutoff is forgotten before it has gone.
    package var maximumStateLifetime: Duration {
        min(.seconds(3600), .seconds(driver.calls.longestTokenLifetime))
    }

    /// Makes a value that is good once, on any node. `dataJSON`: an object's text, at most 4 KiB.
    package func makeState(
        lifetime: Duration, dataJSON: String
    ) async throws(ServiceError) -> LoginState {
        let bytes = (0..<4).flatMap { _ in withUnsafeBytes(of: surroundings.random().bigEndian) { Array($0) } }
        let text = LoginStateText.prefix + bytes.hexadecimal
        let place = LoginStateText(text, count)
        // Where this node has not followed a partition for a while its mark is old. Clocks are within the skew bound of each other: a
        // cutoff of later on is not this old.
        let oldest = UInt64(max(0, clock.wall().seconds - 3 * ClockSkew.boundSeconds)) * 1_000_000
        let marks = count.all.map { partition in
            table.withPartition(partition) { String(max($0.feed.mark.microseconds, oldest)) }
        }
        let value = marks.joined(separator: ",") + "\n" + dataJSON
        let now = try await send(to: place.partition) { followed throws(RedisError) in
            let replies = try await followed.link.pipeline(
                [
                    RedisCommand(
                        "SET",
                        [
                            RedisArgument(place.key(keys)), RedisArgument(value), "PX",
                            RedisArgument(String(lifetime.wholeMilliseconds)),
                        ]), RedisCommand("TIME", []),
                ], timeout: nil)
            guard replies.count == 2 else { throw .unexpectedReply(operation: "SET", expected: "two replies") }
            _ = try replies[0].checked(for: "SET")
            return try replies[1].checked(for: "TIME").array(for: "TIME").first?.text(for: "TIME")
        }
        let seconds = now.flatMap { Int64($0) } ?? clock.wall().seconds
        return LoginState(text: text, expiresAt: WallTime(seconds: seconds + lifetime.components.seconds))
    }

    /// The data of a value, once. Throws `notFound` where there is none, any more or at all.
    package func consumeState(_ text: String) async throws(ServiceError) -> String {
        try await consumed(text).dataJSON
    }

    /// Throws `notFound` where there is none; where there is one, somebody else may be quicker.
    func checkState(_ text: String) async throws(ServiceError) {
        let place = LoginStateText(text, count)
        let isThere = try await send(to: place.partition) { followed throws(RedisError) in
            let command = RedisCommand("EXISTS", [RedisArgument(place.key(keys))])
            return try await followed.link.send(command).integer(for: "EXISTS") == 1
        }
        guard isThere else { throw Self.noSuchState }
    }

    private static let noSuchState = ServiceError.notFound(
        detail: "there is no such state: it was used, its time is over, or nobody made it")

    func consumed(_ text: String) async throws(ServiceError) -> ConsumedState {
        let place = LoginStateText(text, count)
        let value = try await send(to: place.partition) { followed throws(RedisError) -> String? in
            let reply = try await followed.link.send(
                RedisCommand("GETDEL", [RedisArgument(place.key(keys))]), timeout: nil)
            return reply == .null ? nil : try reply.text(for: "GETDEL")
        }
        guard let value, let end = value.firstIndex(of: "\n") else {
            throw Self.noSuchState
        }
        let marks = value[..<end].split(separator: ",").map { Stamp(UInt64($0) ?? 0) }
        return ConsumedState(dataJSON: String(value[value.index(after: end)...]), marks: marks)
    }
}

/// Where a value lies. Any text has a place: what nobody made is not there.
private struct LoginStateText {
    static let prefix = "cfs_"
    let partition: Partition
    private let hash: String

    init(_ text: String, _ count: PartitionCount) {
        hash = sha256(Array(text.utf8)).hexadecimal
        // As good a name as a user's.
        partition = count.partition(ofUser: hash.utf8)
    }

    func key(_ keys: StoreKeys) -> String { keys.loginState(hash, in: partition) }
}
