// One Redis primary as this node follows it: its connections, the partitions that it has, what it was last asked to do for
// them. A single Redis or one behind Sentinel is one of these with every partition; a Redis Cluster is several.
//
// - Primary+Connection.swift: what happens first on every connection (term, checks, reconcile)
// - Primary+Round.swift: the poll rounds        - Primary+Actions.swift: snapshot, log, re-assertion

import CurfewCore
import CurfewRedis
import Logging
import Synchronization

package final class Primary: Sendable {
    /// By this node's own count.
    package let number: Int
    /// Where it is, the password masked.
    package var name: String { transport.address }
    let driver: FeedDriver
    package let client: RedisClient
    /// For `durability: "replica"`.
    package let durable: DurableLines
    let transport: any RedisTransport
    private let limits: RedisLimits
    let logger: Logger

    struct State: Sendable {
        var tracker = ReignTracker()
        /// The connection whose first questions were answered, and its process.
        var connection: ConnectionID?
        var runID: String?
        var info: RedisInfo?
        var warnings: [String] = []
    }
    let state = Mutex(State())
    let wanted = Mutex(Wanted())
    let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    let departed: AsyncStream<Never>
    let hasDeparted: AsyncStream<Never>.Continuation

    /// Work that was asked for from an event loop; bounded by the number of partitions.
    struct Wanted: Sendable {
        var polls: Set<Partition> = []
        var snapshots: Set<Partition> = []
        /// The node stops: the loop's last act is to leave the membership.
        var isLeaving = false
    }

    package init(
        number: Int, transport: any RedisTransport, limits: RedisLimits, durableLines: Int = DurableLines.count,
        driver: FeedDriver
    ) {
        self.number = number
        self.transport = transport
        self.limits = limits
        self.driver = driver
        let logger = driver.logger
        self.logger = logger
        client = RedisClient(transport: transport, limits: limits, logger: logger)
        durable = DurableLines(
            clients: (0..<durableLines).map { _ in
                RedisClient(transport: transport, limits: limits, logger: logger)
            }, surroundings: driver.surroundings)
        (wakeups, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (departed, hasDeparted) = AsyncStream.makeStream()
    }

    /// The partitions that this primary has, as far as the node knows.
    var partitions: [Partition] { driver.partitions.filter { driver.primary(of: $0) === self } }

    func id(of link: any RedisLink) -> ConnectionID {
        ConnectionID(primary: number, generation: link.generation)
    }

    /// Connects and polls until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                await client.run(onConnect: { try await self.connected($0) }, onDisconnect: { self.disconnected() })
            }
            for line in durable.clients {
                group.addTask { [self] in await line.run(onConnect: { try await self.verifyDurable($0) }) }
            }
            group.addTask { [self] in await transport.watch() }
            group.addTask { [self] in await listen() }
            group.addTask { [self] in await follow() }
        }
    }

    private func listen() async {
        let listener = EventListener(driver: driver, partitions: partitions)
        guard !listener.channels.isEmpty else { return }
        let subscriber = RedisSubscriber(
            transport: transport, channels: listener.channels, limits: limits, logger: logger)
        await subscriber.run(
            SubscriberCallbacks(
                onMessage: { listener.heard(on: $0, $1) }, onSubscribed: { listener.subscribed() }))
    }

    /// Hands work to the loop, from anywhere.
    func request(_ action: FeedAction, for partition: Partition) {
        switch action {
        case .none: return
        case .poll: wanted.withLock { _ = $0.polls.insert(partition) }
        case .loadSnapshot: wanted.withLock { _ = $0.snapshots.insert(partition) }
        case .reassert, .readLog, .reassertEvents:
            preconditionFailure("hearing an event asks for a poll or a snapshot, nothing else")
        }
        wake.yield()
    }

    /// Asks for a round of all partitions at the next occasion.
    func requestRound() {
        wanted.withLock { $0.polls.formUnion(partitions) }
        wake.yield()
    }

    /// Nothing more is asked of the loop.
    func stopLoop() { wake.finish() }

    /// Stops polling, and leaves the membership in good order. The node has stopped serving before it calls this.
    package func leave() async {
        wanted.withLock { $0.isLeaving = true }
        wake.yield()
        for await _ in departed {}
    }
}
