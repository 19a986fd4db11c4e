// Connections to the primary that sentinels name. For each new one the sentinels are asked, in turn, and the server that
// they name must say itself that it is a primary before anybody may use the connection. What fails is tried again by the
// client's own loop, after its pause.
//
// - SentinelAnswer.swift: what sentinels say        - SentinelRoster.swift: whom to ask next
// - SentinelTransport+Watch.swift: hears at once when the primary moves

import Logging
import NIOCore
import Synchronization

package final class SentinelTransport: RedisTransport {
    struct State {
        var roster: SentinelRoster
        /// The one that confirmed its role last.
        var primary: RedisAddress.Endpoint?
        var failoverDelay: Duration?
    }

    package let name: String
    let group: SentinelGroup
    let limits: RedisLimits
    let logger: Logger
    let state: Mutex<State>
    let connections = PrimaryConnections()
    private let eventLoop: any EventLoop

    package init(group: SentinelGroup, eventLoop: any EventLoop, limits: RedisLimits, logger: Logger) {
        self.group = group
        self.eventLoop = eventLoop
        self.limits = limits
        name = group.description
        var logger = logger
        logger[metadataKey: "redis"] = "\(group)"
        self.logger = logger
        state = Mutex(State(roster: SentinelRoster(group.sentinels)))
    }

    package var surroundings: any Surroundings { SystemSurroundings(eventLoop: eventLoop) }

    package var address: String { state.withLock { $0.primary }.map { group.address($0).description } ?? name }

    package var failoverDelay: Duration? { state.withLock { $0.failoverDelay } }

    package func connect(generation: UInt64) async throws(RedisError) -> any RedisLink {
        let found = try await find(generation: generation)
        let link = found.link
        let number = connections.add(to: found.endpoint, since: found.moves) {
            link.close(reason: Self.hasMoved)
        }
        guard let number else { throw moved(link) }
        link.whenClosed { [connections] _ in connections.remove(number) }
        return link
    }

    /// The role is asked over a connection of its own: one that is subscribed answers no such question.
    package func subscribe(
        to channels: [String], _ kind: PubSub, _ callbacks: SubscriberCallbacks
    ) async throws(RedisError) -> String {
        let found = try await find(generation: 0)
        let connector = found.connector
        let subscription = Task { () -> Result<String, RedisError> in
            do throws(RedisError) {
                return .success(try await connector.subscribe(to: channels, kind, callbacks))
            } catch {
                return .failure(error)
            }
        }
        guard let number = connections.add(to: found.endpoint, since: found.moves, end: { subscription.cancel() })
        else {
            subscription.cancel()
            throw moved(found.link)
        }
        defer { connections.remove(number) }
        found.link.close(reason: "its role is known")
        let result = await withTaskCancellationHandler {
            await subscription.value
        } onCancel: {
            subscription.cancel()
        }
        return connections.moves == found.moves ? try result.get() : Self.hasMoved
    }

    static let hasMoved = "the sentinels name another primary"

    private func moved(_ link: any RedisLink) -> RedisError {
        link.close(reason: Self.hasMoved)
        return .unavailable(operation: "connect", reason: Self.hasMoved)
    }

    /// A server that the sentinels name and that confirmed its role.
    private struct Found {
        let endpoint: RedisAddress.Endpoint
        let connector: Connector
        let link: any RedisLink
        let moves: UInt64
    }

    private func find(generation: UInt64) async throws(RedisError) -> Found {
        let moves = connections.moves
        let (endpoint, sentinel) = try await askAll()
        let connector = Connector(address: group.address(endpoint), eventLoop: eventLoop, limits: limits)
        do throws(RedisError) {
            let link = try await connector.connect(generation: generation)
            try await verifyRole(of: link, at: endpoint)
            state.withLock { $0.primary = endpoint }
            return Found(endpoint: endpoint, connector: connector, link: link, moves: moves)
        } catch {
            // It may be behind: another one is asked next time.
            state.withLock { $0.roster.moveBack(sentinel) }
            throw .unavailable(
                operation: "connect", reason: "primary \(endpoint.hostAndPort): \(ConnectFailure.reason(of: error))")
        }
    }

    private func verifyRole(of link: any RedisLink, at endpoint: RedisAddress.Endpoint) async throws(RedisError) {
        do throws(RedisError) {
            let reply = try await link.send(RedisCommand("ROLE"), timeout: limits.connectTimeout).array(for: "ROLE")
            let role = try reply.first?.text(for: "ROLE") ?? "server of no role"
            guard role == "master" else {
                throw .unavailable(
                    operation: "ROLE", reason: "a sentinel names it the primary of \(group.name), but it is a \(role)")
            }
        } catch {
            link.close(reason: "not a primary")
            throw error
        }
    }

    /// The first answer counts; each that gives none costs at most its bound, and is asked last from then on.
    private func askAll() async throws(RedisError) -> (primary: RedisAddress.Endpoint, sentinel: RedisAddress.Endpoint)
    {
        var refusals: [String: [String]] = [:]
        for sentinel in state.withLock({ $0.roster.order }) {
            if Task.isCancelled { throw .unavailable(operation: "connect", reason: "stopped") }
            let refusal: String
            do throws(RedisError) {
                if let primary = try await ask(sentinel).primary { return (primary, sentinel) }
                refusal = "knows no primary of this name"
            } catch {
                refusal = ConnectFailure.reason(of: error)
            }
            failed(sentinel, refusal)
            refusals[refusal, default: []].append(sentinel.hostAndPort)
        }
        let reasons = refusals.sorted { $0.key < $1.key }.prefix(3).map { reason, sentinels in
            "\(sentinels.sorted().joined(separator: ", ")): \(reason)"
        }
        throw .unavailable(
            operation: "connect",
            reason: "no sentinel names the primary \(group.name) (\(reasons.joined(separator: "; ")))")
    }

    /// One sentinel's answer, taken over where it knows the name.
    func ask(_ sentinel: RedisAddress.Endpoint) async throws(RedisError) -> SentinelAnswer {
        let link = try await connector(to: sentinel).connect(generation: 0)
        defer { link.close(reason: "answered") }
        let answer = try SentinelAnswer(try await link.pipeline(SentinelAnswer.questions(about: group.name)))
        if answer.primary != nil {
            state.withLock { state in
                state.roster.answered(sentinel, others: answer.others)
                state.failoverDelay = answer.failoverDelay ?? state.failoverDelay
            }
        }
        return answer
    }

    func failed(_ sentinel: RedisAddress.Endpoint, _ reason: String) {
        guard state.withLock({ $0.roster.failed(sentinel) }) else { return }
        logger.warning(
            "a sentinel is of no use", metadata: ["sentinel": "\(sentinel.hostAndPort)", "reason": "\(reason)"])
    }

    func connector(to sentinel: RedisAddress.Endpoint) -> Connector {
        var bounds = limits
        bounds.connectTimeout = limits.sentinelTimeout
        bounds.commandTimeout = limits.sentinelTimeout
        return Connector(address: group.sentinelAddress(sentinel), eventLoop: eventLoop, limits: bounds)
    }
}
