// Calls that may be repeated (Idempotency-Key, draft-ietf-httpapi-idempotency-key-header): what became of one is kept in Redis for ten
// minutes, sealed, since it may hold tokens. Each work is such that doing it twice does no harm (a login draws its session's id from
// the key), so a node that dies in the middle leaves nothing behind but a place that another call takes over.

import CurfewCore
import CurfewRedis

/// One call that may be repeated: whose, which, and with what.
struct IdempotentCall: Sendable {
    /// How long an answer is kept.
    static let lifetime = Duration.seconds(600)

    /// SHA-256 of call, caller and key, hexadecimal.
    fileprivate let hash: String
    /// SHA-256 of the body, hexadecimal.
    fileprivate let body: String
    fileprivate let partition: Partition
    /// How long its first attempt may be under way.
    let lease: Duration

    init(call: String, caller: String, key: String, body: [UInt8], lease: Duration, count: PartitionCount) {
        // None of the first two holds a line break.
        hash = sha256(Array("\(call)\n\(caller)\n\(key)".utf8)).hexadecimal
        self.body = sha256(body).hexadecimal
        partition = count.partition(ofUser: hash.utf8)
        self.lease = lease
    }

    /// For what is drawn or sealed for this call.
    var name: String { "\(hash) \(body)" }
}

/// How a repeatable call stands.
enum IdempotencyClaim: Sendable {
    /// It is to be done now. `isRepeated`: an attempt before this one came to no end that anybody noted.
    case work(isRepeated: Bool)
    /// It was done, with this answer.
    case done([UInt8])
}

extension SessionService {
    /// Takes the call's place. Throws `conflict` where the key came with another body, or while another attempt is under way.
    func claim(_ call: IdempotentCall) async throws(ServiceError) -> IdempotencyClaim {
        let key = RedisArgument(keys.idempotency(call.hash, in: call.partition))
        let lifetime = RedisArgument(String(IdempotentCall.lifetime.wholeMilliseconds))
        func pending(_ now: Int64) -> RedisArgument {
            RedisArgument("\(call.body) \(now + call.lease.wholeMilliseconds)")
        }
        return try await sendReading(call, key) { now, value, link throws(RedisError) in
            guard let value else {
                let taken = try await link.send(
                    RedisCommand("SET", [key, pending(now), "PX", lifetime, "NX"]), timeout: nil)
                return try taken.checked(for: "SET") == .null ? .failure(.busy) : .success(.work(isRepeated: false))
            }
            guard value.body == call.body else { return .failure(.otherBody) }
            switch value.state {
            case .done(let sealed):
                guard let answer = keyRing.opened(sealed, name: call.name) else {
                    throw .unexpectedReply(operation: "GET", expected: "an answer that these nodes sealed")
                }
                return .success(.done(answer))
            case .pending(let until):
                guard until <= now else { return .failure(.busy) }
                _ = try await link.send(RedisCommand("SET", [key, pending(now), "PX", lifetime]), timeout: nil)
                    .checked(for: "SET")
                return .success(.work(isRepeated: true))
            }
        }
    }

    /// Keeps the answer, or forgets the call (`nil`): a failure of ours is not remembered. Where that fails the next attempt waits for
    /// the lease to be over.
    func settle(_ call: IdempotentCall, _ answer: [UInt8]?) async {
        let key = RedisArgument(keys.idempotency(call.hash, in: call.partition))
        _ = try? await send(to: call.partition) { followed throws(RedisError) in
            guard let answer else { return try await followed.link.send(RedisCommand("UNLINK", [key]), timeout: nil) }
            let value = Array("\(call.body) done ".utf8) + keyRing.sealed(answer, name: call.name)
            return try await followed.link.send(
                RedisCommand(
                    "SET",
                    [key, RedisArgument(value), "PX", RedisArgument(String(IdempotentCall.lifetime.wholeMilliseconds))]),
                timeout: nil
            ).checked(for: "SET")
        }
    }

    private enum Obstacle: Error { case otherBody, busy }

    private func sendReading(
        _ call: IdempotentCall, _ key: RedisArgument,
        _ decide: (Int64, StoredCall?, any RedisLink) async throws(RedisError) -> Result<IdempotencyClaim, Obstacle>
    ) async throws(ServiceError) -> IdempotencyClaim {
        let result = try await send(to: call.partition) { followed throws(RedisError) in
            let replies = try await followed.link.pipeline(
                [RedisCommand("GET", [key]), RedisCommand("TIME", [])], timeout: nil)
            guard replies.count == 2 else { throw .unexpectedReply(operation: "GET", expected: "two replies") }
            let time = try replies[1].checked(for: "TIME").array(for: "TIME")
            guard time.count == 2, let seconds = Int64(try time[0].text(for: "TIME")),
                let microseconds = Int64(try time[1].text(for: "TIME"))
            else { throw .unexpectedReply(operation: "TIME", expected: "two numbers") }
            let value = try StoredCall(try replies[0].checked(for: "GET"))
            return try await decide(seconds * 1000 + microseconds / 1000, value, followed.link)
        }
        switch result {
        case .success(let claim): return claim
        case .failure(.otherBody): throw .conflict(detail: "this Idempotency-Key came with another body before")
        case .failure(.busy): throw .conflict(detail: "the first call with this Idempotency-Key is still under way")
        }
    }
}

/// What Redis has of a call: the body's hash, a space, and until when (UNIX ms) it may be under way, or `done`, a space and its answer,
/// sealed.
private struct StoredCall {
    enum State {
        case pending(until: Int64)
        case done([UInt8])
    }

    let body: String
    let state: State

    init?(_ value: RedisValue) throws(RedisError) {
        if value == .null { return nil }
        let parts = try value.bytes(for: "GET").split(
            separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        func text(_ index: Int) -> String { String(decoding: parts[index], as: UTF8.self) }
        if parts.count == 3, text(1) == "done" {
            state = .done(Array(parts[2]))
        } else if parts.count == 2, let until = Int64(text(1)) {
            state = .pending(until: until)
        } else {
            throw .unexpectedReply(operation: "GET", expected: "what became of a call")
        }
        body = text(0)
    }
}
