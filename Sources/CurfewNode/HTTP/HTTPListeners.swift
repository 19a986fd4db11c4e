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
    package init(
        configuration: NodeConfiguration, service: SessionService, keys: APIKeys, logger: Logger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, acceptsInsecureCookies: Bool = false,
        onListening: @escaping @Sendable (_ isAdmin: Bool, _ address: ListenAddress) -> Void = { _, _ in }
    ) {
        let fastPath = FastPath(
            keyRing: service.keyRing, table: service.table, clock: service.clock, configuration: configuration)
        listeners = ListenerKind.allCases.map { kind in
            let table = RouteTable(kind)
            let responder = Responder(
                table: table, keys: keys,
                calls: Calls(
                    service: service, description: OpenAPI.document(of: table),
                    acceptsInsecureCookies: acceptsInsecureCookies),
                limits: configuration.limits, logger: logger)
            var settings = ConnectionSettings(configuration.limits, table: table)
            settings.head.acceptsInsecureCookie = acceptsInsecureCookies
            settings.fastPath = kind == .public ? fastPath : nil
            return Listener(
                kind: kind, address: kind == .public ? configuration.listen : configuration.adminListen,
                channel: ListenerChannel(
                    responder: responder, settings: settings,
                    maximumConnections: configuration.limits.maximumConnections),
                group: group, logger: logger, onListening: { onListening(kind == .admin, $0) })
        }
    }

    /// Both listeners as one service: they serve until they are told to stop, then both at once answer what is in
    /// flight, and it returns; it throws `ListenerError` where one of them can't listen.
    package func services() -> [any Service] { [BothListeners(listeners: listeners)] }
}

/// One service, since a group stops its services one after the other.
private struct BothListeners: Service {
    let listeners: [Listener]

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for listener in listeners { group.addTask { try await listener.run() } }
            for try await _ in group where !Task.isShuttingDownGracefully {
                // One ended without being told to: a node with half of its listeners is none.
                group.cancelAll()
            }
        }
    }
}

extension ConnectionSettings {
    init(_ limits: ListenerLimits, table: RouteTable) {
        let batchPath = table.batchPath.map { Array($0.utf8) }
        self.init(
            head: HeadLimits(maximumBytes: limits.maximumHeadBytes, maximumFields: limits.maximumHeadFields),
            bodyLimit: { path in
                if let batchPath, path.elementsEqual(batchPath) { return limits.maximumBatchBodyBytes }
                return limits.maximumBodyBytes
            },
            headTimeout: limits.headTimeout, idleTimeout: limits.idleTimeout)
    }
}
