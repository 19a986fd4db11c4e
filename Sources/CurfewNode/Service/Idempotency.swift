// Calls that may be repeated (Idempotency-Key, draft-ietf-httpapi-idempotency-key-header): what became of one is kept in Redis for ten
// minutes, sealed, since it may hold tokens. Each work is such that doing it twice, even at the same time, does no harm: a login's session
// has the number that the first attempt drew, and a refresh knows since when its own uses count as one. So whoever comes after a
// node that died, or after a failure of ours, just does it again.

import CurfewCore
import CurfewRedis

/// One call that may be repeated: whose, which, and with what.
struct IdempotentCall: Sendable {
    /// How long an answer is kept.
    static let lifetime = Duration.seconds(600)

    /// SHA-256 of call, caller and key, hexadecimal.
    fileprivate let hash: String
    /// SHA-256 of the body, hexadecimal: never kept as it is.
    fileprivate let body: String
    fileprivate let partition: Partition
    /// How long an attempt may be under way.
    let lease: Duration

    init(call: String, caller: String, key: String, body: [UInt8], lease: Duration, _ service: SessionService) {
        // None of the first two holds a line break.
        hash = sha256(Array("\(call)\n\(caller)\n\(key)".utf8)).hexadecimal
        self.body = sha256(body).hexadecimal
        partition = service.count.partition(ofUser: hash.utf8)
        self.lease = lease
    }

    /// What an answer is sealed under. `code`: of the body, under a key that only the nodes have.
    fileprivate func name(_ code: String) -> String { "\(hash) \(code)" }
}

/// The work of a call, from its first attempt on.
struct IdempotentWork: Sendable {
    /// Drawn by the first attempt: the same for each.
    let drawn: (high: UInt64, low: UInt64)
    /// When that began, by Redis' clock (UNIX ms).
    let begunAt: Int64
    /// Since then, as of this attempt.
    let elapsed: Duration
}

/// How a repeatable call stands.
enum IdempotencyClaim: Sendable {
    /// It is to be done now.
    case work(IdempotentWork)
    /// It was done, with this answer.
    case done([UInt8])
}

extension SessionService {
    /// Takes the call's place. Throws `conflict` where the key came with another body, or while another attempt is under way.
    func claim(_ call: IdempotentCall) async throws(ServiceError) -> IdempotencyClaim {
        let key = RedisArgument(keys.idempotency(call.hash, in: call.partition))
        let result = try await send(to: call.partition) { followed throws(RedisError) in
            let (now, stored) = try await self.stored(key, on: followed.link)
            var pending = StoredCall(
                body: keyRing.code(ofBody: call.body, at: clock.wall()), begunAt: now,
                drawn: (surroundings.random(), surroundings.random()),
                state: .pending(until: now + call.lease.wholeMilliseconds))
            if let stored {
                guard keyRing.isCode(stored.body, ofBody: call.body) else {
                    return Result<IdempotencyClaim, Obstacle>.failure(.otherBody)
                }
                switch stored.state {
                case .done(let sealed):
                    // What these keys can't open was sealed by others, which are gone: it is done again.
                    if let answer = keyRing.opened(sealed, name: call.name(stored.body)) {
                        return .success(.done(answer))
                    }
                case .pending(let until):
                    guard until <= now else { return .failure(.busy) }
                }
                (pending.body, pending.begunAt, pending.drawn) = (stored.body, stored.begunAt, stored.drawn)
            }
            let isTaken = try await put(pending, key, isFirst: stored == nil, on: followed.link)
            guard isTaken else { return .failure(.busy) }
            return .success(
                .work(
                    IdempotentWork(
                        drawn: pending.drawn, begunAt: pending.begunAt,
                        elapsed: .milliseconds(max(0, now - pending.begunAt)))))
        }
        switch result {
        case .success(let claim): return claim
        case .failure(.otherBody): throw .conflict(detail: "this Idempotency-Key came with another body before")
        case .failure(.busy): throw .conflict(detail: "the first call with this Idempotency-Key is still under way")
        }
    }

    /// Keeps the answer; or, where there is none to keep (`nil`), lets the next attempt begin at once. Where that fails it waits for the
    /// lease to be over. An answer that another attempt has left stays.
    func settle(_ call: IdempotentCall, _ work: IdempotentWork, _ answer: [UInt8]?) async {
        let key = RedisArgument(keys.idempotency(call.hash, in: call.partition))
        _ = try? await send(to: call.partition) { followed throws(RedisError) in
            let (_, stored) = try await self.stored(key, on: followed.link)
            if case .done? = stored?.state { return false }
            let now = clock.wall()
            let body = stored?.body ?? keyRing.code(ofBody: call.body, at: now)
            let state =
                answer.map { StoredCall.State.done(keyRing.sealed($0, name: call.name(body), at: now)) }
                ?? .pending(until: 0)
            return try await put(
                StoredCall(body: body, begunAt: work.begunAt, drawn: work.drawn, state: state), key,
                isFirst: false,
                on: followed.link)
        }
    }

    private enum Obstacle: Error { case otherBody, busy }

    /// Redis' clock (UNIX ms), and what it has of a call.
    private func stored(
        _ key: RedisArgument, on link: any RedisLink
    ) async throws(RedisError) -> (now: Int64, call: StoredCall?) {
        let replies = try await link.pipeline([RedisCommand("GET", [key]), RedisCommand("TIME", [])], timeout: nil)
        guard replies.count == 2 else { throw .unexpectedReply(operation: "GET", expected: "two replies") }
        return (try replies[1].unixMilliseconds(), try StoredCall(try replies[0].checked(for: "GET")))
    }

    /// `false` where another was first.
    private func put(
        _ call: StoredCall, _ key: RedisArgument, isFirst: Bool, on link: any RedisLink
    ) async throws(RedisError) -> Bool {
        let lifetime = RedisArgument(String(IdempotentCall.lifetime.wholeMilliseconds))
        let arguments = [key, RedisArgument(call.bytes), "PX", lifetime] + (isFirst ? ["NX"] : [])
        return try await link.send(RedisCommand("SET", arguments), timeout: nil).checked(for: "SET") != .null
    }
}

/// What Redis has of a call, its words separated by spaces: the body's code, when the first attempt began (UNIX ms), what that drew (two
/// numbers), and until when (UNIX ms) an attempt may be under way; or `done` and the answer, sealed.
private struct StoredCall {
    enum State {
        case pending(until: Int64)
        case done([UInt8])
    }

    var body: String
    var begunAt: Int64
    var drawn: (high: UInt64, low: UInt64)
    let state: State

    init(body: String, begunAt: Int64, drawn: (high: UInt64, low: UInt64), state: State) {
        (self.body, self.begunAt, self.drawn, self.state) = (body, begunAt, drawn, state)
    }

    init?(_ value: RedisValue) throws(RedisError) {
        if value == .null { return nil }
        let parts = try value.bytes(for: "GET").split(
            separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: false)
        func text(_ index: Int) -> String { index < parts.count ? String(decoding: parts[index], as: UTF8.self) : "" }
        guard let begunAt = Int64(text(1)), let high = UInt64(text(2)), let low = UInt64(text(3)) else {
            throw .unexpectedReply(operation: "GET", expected: "what became of a call")
        }
        if parts.count == 6, text(4) == "done" {
            state = .done(Array(parts[5]))
        } else if parts.count == 5, let until = Int64(text(4)) {
            state = .pending(until: until)
        } else {
            throw .unexpectedReply(operation: "GET", expected: "what became of a call")
        }
        (body, self.begunAt, drawn) = (text(0), begunAt, (high, low))
    }

    var bytes: [UInt8] {
        let head = Array("\(body) \(begunAt) \(drawn.high) \(drawn.low) ".utf8)
        switch state {
        case .pending(let until): return head + Array(String(until).utf8)
        case .done(let sealed): return head + Array("done ".utf8) + sealed
        }
    }
}
