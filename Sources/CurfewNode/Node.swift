// A node, put together: one table of partitions that everything shares, the propagation that keeps it fresh, and two HTTP
// listeners. Started in that order, stopped in the other: the listeners finish what is in flight, then the node leaves
// the membership, then its connections close.

import CurfewCore
import CurfewRedis
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// One node, ready to run.
package struct Node: Sendable {
    private let configuration: NodeConfiguration
    private let logger: Logger
    private let propagation: PropagationService
    private let redisThread: MultiThreadedEventLoopGroup
    private let service: SessionService
    private let tls: ListenerTLS?

    /// Puts the parts together; nothing is connected or listened to yet. Throws the one line that a wrong setting gets.
    package init(configuration: NodeConfiguration, logger: Logger) throws(StartError) {
        let nodeID = NodeID(random: .random(in: .min ... .max))
        var logger = logger
        logger[metadataKey: "node"] = "\(nodeID)"
        logger.handler.metadataProvider = TraceContext.metadataProvider
        let count: PartitionCount
        let keyRing: KeyRing
        let topology: RedisTopology
        let tls: ListenerTLS?
        do throws(SettingError) {
            try configuration.validate()
            count = try configuration.partitionCount()
            keyRing = try configuration.keyRing()
            topology = try configuration.redisTopology()
            tls = try configuration.tls.map { files throws(SettingError) in ListenerTLS(try files.load()) }
        } catch {
            throw .setting(error)
        }
        // A thread of its own for Redis: a flood of HTTP connections must not make a node miss its heartbeats and polls.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        redisThread = group
        let limits = configuration.redisLimits
        let eventLoop = group.next()
        let parts = NodeParts(
            configuration: configuration, nodeID: nodeID, count: count, keyRing: keyRing,
            surroundings: SystemSurroundings(eventLoop: eventLoop), clock: NodeClock(),
            audit: configuration.hasAuditLog ? AuditLog(logger: logger) : nil,
            auditStream: configuration.auditStreamLength.map { _ in AuditStream(logger: logger) }, logger: logger)
        let metrics = parts.driver.metrics
        let measured: @Sendable (any RedisTransport) -> any RedisTransport = {
            MeasuredTransport(base: $0, metrics: metrics)
        }
        var router: ClusterRouter?
        switch topology {
        case .single(let address):
            let transport = Connector(address: address, eventLoop: eventLoop, limits: limits)
            parts.driver.follow(
                Primary(number: 0, transport: measured(transport), limits: limits, driver: parts.driver))
        case .cluster(let seeds):
            router = ClusterRouter(seeds: seeds.named, limits: limits, driver: parts.driver) { member in
                measured(seeds.transport(to: member, eventLoop: eventLoop, limits: limits))
            }
        case .sentinel(let sentinels):
            let transport = SentinelTransport(group: sentinels, eventLoop: eventLoop, limits: limits, logger: logger)
            parts.driver.follow(
                Primary(number: 0, transport: measured(transport), limits: limits, driver: parts.driver))
        }
        propagation = PropagationService(driver: parts.driver, checks: parts.driver.checks, router: router)
        service = parts.service
        self.configuration = configuration
        self.logger = logger
        self.tls = tls
    }

    /// Runs until SIGTERM or SIGINT, or until its task is cancelled. Throws `StartError` where Redis or an address can't be used.
    package func run() async throws {
        if configuration.insecureCookies {
            logger.warning(
                "insecure-cookies: session cookies go without Secure and the __Host- prefix, for development only")
        }
        warnAboutCertificate()
        let threads = configuration.threads.map { MultiThreadedEventLoopGroup(numberOfThreads: $0) }
        let keys = APIKeys(configuration.apiKeys)
        let files = FileReloader(reloadedFiles(into: keys), logger: logger)
        let listeners = HTTPListeners(
            configuration: configuration, service: service, keys: keys, tls: tls, logger: logger,
            group: threads ?? MultiThreadedEventLoopGroup.singleton)
        let services: [any Service] =
            [propagation] + (service.driver.audit.map { [$0] } ?? []) + auditWriters + [files]
            + listeners.services().map { AfterFirstContact(service: $0, checks: propagation.checks) }
        var group = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger)
        // In flight is what was accepted: it has this long to be answered, then the node goes.
        group.maximumGracefulShutdownDuration = .seconds(4)
        let result = await Result.of { try await ServiceGroup(configuration: group).run() }
        try await threads?.shutdownGracefully()
        try await redisThread.shutdownGracefully()
        try result.get()
        logger.info("stopped")
    }
}

extension Node {
    private var auditWriters: [any Service] {
        guard let stream = service.driver.auditStream, let length = configuration.auditStreamLength else { return [] }
        return [
            AuditStreamWriter(
                stream: stream, driver: service.driver, nodeID: service.driver.calls.nodeID, length: length)
        ]
    }

    private func reloadedFiles(into keys: APIKeys) -> [ReloadedFile] {
        var reloaded: [ReloadedFile] = []
        if let path = configuration.apiKeysFile {
            let fixed = configuration.apiKeys.filter { $0.name == APIKey.commandLineName }
            reloaded.append(.apiKeys(path, fixed: fixed, into: keys))
        }
        if let path = configuration.signingKeysFile {
            reloaded.append(.signingKeys(path, into: service.currentKeyRing, clock: service.clock))
        }
        if let files = configuration.tls, let tls { reloaded.append(.certificate(files, into: tls)) }
        return reloaded
    }

    /// Clients will refuse it; the node goes on, since a new one is taken over without a restart.
    private func warnAboutCertificate() {
        guard let tls, tls.expiresAt.seconds < service.clock.wall().seconds + 14 * 86_400 else { return }
        logger.warning(
            "the certificate runs out in less than 14 days, or has", metadata: ["expires": "\(tls.expiresAt.rfc3339)"])
    }
}

/// Listens once Redis was found fit for use, or could not be reached for a moment: a start that is refused is one line and was
/// never heard of by anybody.
private struct AfterFirstContact: Service {
    let service: any Service
    let checks: StartChecks
    private static let patience = Duration.seconds(1)

    func run() async throws {
        let end = ContinuousClock.now + Self.patience
        while !checks.havePassed, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
        }
        try await service.run()
    }
}

extension NodeConfiguration {
    package func partitionCount() throws(SettingError) -> PartitionCount {
        guard let count = PartitionCount(partitions) else {
            throw SettingError(setting: "partitions", value: "\(partitions)", expected: "1 to 1024")
        }
        return count
    }

    package func keyRing() throws(SettingError) -> KeyRing {
        guard let ring = KeyRing(try allSigningKeys(), issuer: issuer, audience: audience) else {
            throw SettingError(
                setting: "issuer", value: issuer, expected: "1 to 128 bytes without control characters, like audience")
        }
        return ring
    }

    private func allSigningKeys() throws(SettingError) -> [SigningKey] {
        guard signingKeys.isEmpty else { return signingKeys }
        do {
            return [try SigningKey.derived(fromSecret: Array(signingSecret.utf8))]
        } catch {
            throw SettingError(setting: "signing-secret", value: "***", expected: "at least 32 bytes")
        }
    }

    func redisTopology() throws(SettingError) -> RedisTopology {
        do {
            return try RedisTopology(
                url: redis, certificateAuthorities: redisCertificateAuthorities, sentinelUser: redisSentinelUser,
                sentinelPassword: redisSentinelPassword)
        } catch {
            throw SettingError(
                setting: "redis", value: "\"\(RedisAddress.masked(redis))\"",
                expected: "\(RedisAddressError.expected) (\(error.problem))")
        }
    }

    /// What stands behind `redis`, in a word.
    var topologyName: String { RedisTopology.name(ofURL: redis) }

    func scriptCalls(_ nodeID: NodeID, random: @escaping @Sendable () -> UInt64) -> ScriptCalls {
        ScriptCalls(
            keys: StoreKeys(namespace: namespace), nodeID: nodeID,
            habit: ServingHabit(servesStale: onStale != .refuse, staleness: stalenessBound), logWindow: logWindow,
            longestTokenLifetime: longestTokenLifetimeSeconds, random: random)
    }

    /// Rounded up, of all kinds.
    private var longestTokenLifetimeSeconds: Int64 {
        SessionKind.allCases.map { kind in
            let life = settings(of: kind).tokenLifetime
            return life.components.seconds + (life.components.attoseconds > 0 ? 1 : 0)
        }.max() ?? 0
    }

    package var redisLimits: RedisLimits {
        var limits = RedisLimits()
        limits.commandTimeout = redisTimeout
        limits.connectTimeout = min(redisTimeout, .seconds(1))
        limits.maximumBackoff = stalenessBound / 4
        limits.sentinelTimeout = min(max(stalenessBound / 4, .milliseconds(100)), limits.connectTimeout)
        limits.heartbeat = stalenessBound / 2
        return limits
    }
}

extension Result where Failure == any Error {
    fileprivate static func of(_ body: () async throws -> Success) async -> Result {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
