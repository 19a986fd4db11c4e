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
    /// One of several, which have their slots for as long as the cluster says.
    let isClusterMember: Bool
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
        /// In a cluster: when each partition was last known to be here.
        var contacts: [Partition: BootTime] = [:]
        /// Partitions that are being taken up.
        var taking: Set<Partition> = []
        /// Why partitions can't be followed, as it was said last.
        var refusals: [Partition: String] = [:]
    }
    let state = Mutex(State())

    /// Whether a script's own writing proves nothing here (WriteProbe).
    var needsWriteProbes: Bool { state.withLock { $0.info?.refusesScriptsWithoutReplicas != true } }

    let wanted = Mutex(Wanted())
    let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    let departed: AsyncStream<Never>
    let hasDeparted: AsyncStream<Never>.Continuation
    private let stopped: AsyncStream<Never>
    private let hasStopped: AsyncStream<Never>.Continuation
    private let subscriptionChanges: AsyncStream<Void>
    private let subscriptionChanged: AsyncStream<Void>.Continuation

    /// Work that was asked for from an event loop; bounded by the number of partitions.
    struct Wanted: Sendable {
        var polls: Set<Partition> = []
        var snapshots: Set<Partition> = []
        /// The node stops: the loop's last act is to leave the membership.
        var isLeaving = false
    }

    package init(
        number: Int, transport: any RedisTransport, limits: RedisLimits, durableLines: Int = DurableLines.count,
        isClusterMember: Bool = false, driver: FeedDriver
    ) {
        self.number = number
        self.isClusterMember = isClusterMember
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
        (stopped, hasStopped) = AsyncStream.makeStream()
        (subscriptionChanges, subscriptionChanged) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// The partitions that this primary has, as far as the node knows.
    var partitions: [Partition] { driver.partitions(of: self) }

    var isConnected: Bool { state.withLock { $0.connection != nil } }

    /// How events are published here; `nil` until that is known. In a cluster an ordinary message goes to every member of it.
    var pubSub: PubSub? {
        guard isClusterMember else { return .ordinary }
        return state.withLock { $0.info }.map { $0.hasShardedPubSub ? .sharded : .ordinary }
    }

    func id(of link: any RedisLink) -> ConnectionID {
        ConnectionID(primary: number, generation: link.generation)
    }

    /// Connects and polls until stopped or cancelled.
    package func run() async {
        await withTaskGroup { group in
            group.addTask { [self] in
                await client.run(onConnect: { try await self.connected($0) }, onDisconnect: { self.disconnected() })
            }
            for line in durable.clients {
                group.addTask { [self] in await line.run(onConnect: { try await self.verifyDurable($0) }) }
            }
            group.addTask { [self] in await transport.watch() }
            group.addTask { [self] in await listen() }
            group.addTask { [self] in await follow() }
            for await _ in stopped {}
            group.cancelAll()
        }
    }

    /// Ends `run()`: no partition is here any more.
    func stop() { hasStopped.finish() }

    /// Listens for the partitions that are here; whenever they change, on another connection. What is missed meanwhile is
    /// found by the poll that each subscription asks for.
    private func listen() async {
        while !Task.isCancelled {
            let listener = EventListener(driver: driver, partitions: partitions, kind: pubSub)
            await withTaskGroup { group in
                if !listener.channels.isEmpty { group.addTask { [self] in await subscribe(listener) } }
                for await _ in subscriptionChanges
                where listener.partitions != partitions || listener.kind != pubSub { break }
                group.cancelAll()
            }
        }
    }

    private func subscribe(_ listener: EventListener) async {
        guard let kind = listener.kind else { return }
        let subscriber = RedisSubscriber(
            transport: transport, channels: listener.channels, kind: kind, limits: limits, logger: logger)
        await subscriber.run(
            SubscriberCallbacks(
                onMessage: { listener.heard(on: $0, $1) }, onSubscribed: { listener.subscribed() },
                onLost: { self.lostSubscription() }))
    }

    /// It may be that a slot has left.
    private func lostSubscription() {
        if isClusterMember { driver.routeRequests.request() }
    }

    /// Other partitions are here now, or another version of Redis: somebody may have to listen to something else.
    func partitionsChanged() { subscriptionChanged.yield() }

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
