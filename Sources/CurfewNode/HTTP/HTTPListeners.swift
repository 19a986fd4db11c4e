// Both listeners of a node, from its configuration: what a node adds to its services. Access is not logged; a failure of
// ours is one line, and no line at any level has a token in it.

import CurfewCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

package struct HTTPListeners: Sendable {
    private let listeners: [Listener]

    /// `group` has the threads that `configuration.threads` asks for; whoever made it ends it.
    /// `onListening` is called once a listener, with the port that it really has.
    init(
        configuration: NodeConfiguration, service: SessionService, keys: APIKeys, tls: ListenerTLS? = nil,
        logger: Logger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        onListening: @escaping @Sendable (_ isAdmin: Bool, _ address: ListenAddress) -> Void = { _, _ in }
    ) {
        let files = OpenFiles.raiseLimit()
        let fastPath = FastPath(
            keyRing: service.currentKeyRing, table: service.table, clock: service.clock,
            activity: service.driver.activity,
            configuration: configuration, metrics: service.metrics)
        var quiet = logger
        quiet.logLevel = .critical
        listeners = ListenerKind.allCases.map { [quiet] kind in
            let connections = HTTPListeners.connections(of: kind, configuration.limits, files: files, logger)
            if kind == .public { service.driver.streams.limit(to: configuration.limits.eventStreams(of: connections)) }
            let table = RouteTable(kind)
            let responder = Responder(
                table: table, keys: keys,
                calls: Calls(
                    service: service, keys: keys, listener: kind, isSecure: tls != nil,
                    description: OpenAPI.document(of: table),
                    acceptsInsecureCookies: configuration.insecureCookies,
                    trustedProxies: configuration.trustedProxies, allowedOrigins: configuration.allowedOrigins),
                crossOrigin: CrossOriginFields(allowed: kind == .public ? configuration.allowedOrigins : .none),
                limits: configuration.limits, logger: logger)
            var settings = ConnectionSettings(configuration.limits, table: table)
            settings.head.acceptsInsecureCookie = configuration.insecureCookies
            settings.head.answersOrigins = kind == .public && !configuration.allowedOrigins.isEmpty
            settings.isSecure = tls != nil
            settings.fastPath = kind == .public ? fastPath : nil
            settings.atOnce = { responder.answerAtOnce($0) }
            // One gate a listener. What was not begun within half of the time that Redis has is not begun.
            let gate = CallGate(
                maximum: configuration.limits.maximumCalls, patience: configuration.redisTimeout / 2,
                clock: service.clock)
            return Listener(
                kind: kind, address: kind == .public ? configuration.listen : configuration.adminListen,
                connections: ListenerConnections(
                    responder: responder, settings: settings, maximum: connections,
                    security: tls.map { tls in { @Sendable in tls.handler(kind) } }, gate: gate, group: group,
                    logger: quiet),
                group: group, logger: logger, onListening: { onListening(kind == .admin, $0) },
                onStopping: { service.driver.streams.close() })
        }
    }

    /// As many as asked for, as long as the system lets this process have so many files.
    private static func connections(
        of kind: ListenerKind, _ limits: ListenerLimits, files: Int, _ logger: Logger
    ) -> Int {
        let possible = OpenFiles.connections(of: kind, limit: files)
        guard possible < limits.maximumConnections else { return limits.maximumConnections }
        logger.warning(
            "fewer connections than max-connections: the limit of open files (ulimit -n) has room for no more",
            metadata: ["listener": "\(kind)", "connections": "\(possible)", "open_files": "\(files)"])
        return possible
    }

    /// Both listeners as one service: they serve until they are told to stop, then both at once answer what is in
    /// flight, and it returns; it throws `ListenerError` where one of them can't listen.
    package func services() -> [any Service] { [BothListeners(listeners: listeners)] }
}

/// One service, since a group stops its services one after the other.
private struct BothListeners: Service, CustomStringConvertible {
    /// For logs; what there is in it are whole documents.
    var description: String { "listeners" }

    let listeners: [Listener]

    func run() async throws {
        let acceptor = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let ended = await result(acceptingOn: acceptor)
        try await acceptor.shutdownGracefully()
        try ended.get()
    }

    private func result(acceptingOn acceptor: any EventLoopGroup) async -> Result<Void, any Error> {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for listener in listeners { group.addTask { try await listener.run(acceptingOn: acceptor) } }
                for try await _ in group where !Task.isShuttingDownGracefully {
                    // One ended without being told to: a node with half of its listeners is none.
                    group.cancelAll()
                }
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }
}

extension ConnectionSettings {
    init(_ limits: ListenerLimits, table: RouteTable) {
        let batchPath = table.batchPath.map { Array($0.utf8) }
        let lightPaths = table.routes.filter(\.isLight).map { Array($0.path.utf8) }
        self.init(
            head: HeadLimits(maximumBytes: limits.maximumHeadBytes, maximumFields: limits.maximumHeadFields),
            bodyLimit: { path in
                if let batchPath, path.elementsEqual(batchPath) { return limits.maximumBatchBodyBytes }
                return limits.maximumBodyBytes
            },
            isLight: { path in lightPaths.contains { path.elementsEqual($0) } },
            headTimeout: limits.headTimeout, idleTimeout: limits.idleTimeout)
    }
}
