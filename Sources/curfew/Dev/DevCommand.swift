// `curfew dev`: a Redis and a few nodes in one terminal, for trying things out and for tests. Whatever ends it (an
// error, a signal, SIGKILL), nothing that it started stays behind.

import ArgumentParser
import Foundation

struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev", abstract: "Run a private Redis and a few nodes, and show what they do.",
        discussion: """
            Node i, from 0, has public port PORT+2i and admin port PORT+2i+1 on 127.0.0.1; on the port after the last one, \
            or another where that is in use, is /demo, a page with two devices on two nodes. CURFEW_… variables pass on to \
            the nodes. Secrets are made up for each run unless they are given as variables. Once every node is \
            ready, URLs and key are in \(DevFile.path), for the other commands and for scripts.

            \(ExitStatus.help)
            """)

    @Option(help: "How many nodes, 1 to 32.") var nodes = 3
    @Option(help: "The first of two ports a node.") var port = 8080
    @Option(help: "Of the page /demo (default: the port after the last node's, if it is free).") var demoPort: Int?
    @Option(help: "Use this Redis (default: CURFEW_REDIS, else a private redis-server that ends with this command).")
    var redis: String?
    @Flag(help: "First play a login and a revoke across the nodes, with times.") var story = false
    @Flag(help: "End when everything was ready, and the story told: for scripts.") var once = false

    private static let readyLimit = Duration.seconds(60)

    func validate() throws {
        guard (1...32).contains(nodes) else { throw ValidationError("--nodes takes 1 to 32, not \(nodes)") }
        guard port >= 1, port + 2 * nodes - 1 <= 65_535 else {
            throw ValidationError("--port takes 1 to \(65_536 - 2 * nodes) for \(nodes) nodes, not \(port)")
        }
        if let demoPort {
            guard (1...65_535).contains(demoPort), !(port..<port + 2 * nodes).contains(demoPort) else {
                throw ValidationError("--demo-port takes 1 to 65535 and none of the nodes' ports, not \(demoPort)")
            }
        }
    }

    private func portOfPage() async throws -> Int {
        if let demoPort {
            try await Ports.require([demoPort], option: "--demo-port")
            return demoPort
        }
        let next = port + 2 * nodes
        guard next <= 65_535 else { return try await Ports.free() }
        do { try await Ports.require([next]) } catch { return try await Ports.free() }
        return next
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let settings = try await settings()
        try await Ports.require(settings.ports)
        let cluster = try await DevCluster.start(settings, program: Self.program())
        do {
            let isInterrupted = try await Signals.interrupting { try await show(cluster) }
            await end(cluster, isInterrupted: isInterrupted)
        } catch {
            await end(cluster, isInterrupted: false)
            throw error
        }
    }

    private func show(_ cluster: DevCluster) async throws {
        try await cluster.waitUntilReady(within: Self.readyLimit)
        let demo = try await DemoListener.start(cluster, port: cluster.demoPort)
        defer { demo.stop() }
        try cluster.file.write()
        if story { try await Story(cluster: cluster).play() }
        if once { return }
        Summary(cluster: cluster).show()
        try await watch(cluster)
    }

    /// Says which process ended, and goes on without it: that is what a cluster is for.
    private func watch(_ cluster: DevCluster) async throws {
        var mourned: Set<String> = []
        while mourned.count < cluster.nodes.count {
            for child in cluster.nodes + [cluster.redis?.child].compactMap(\.self)
            where !child.isRunning && mourned.insert(child.name).inserted {
                Terminal.complain("\(child.name) \(child.ending)")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw CommandFailure(.internal, "every node has ended")
    }

    private func end(_ cluster: DevCluster, isInterrupted: Bool) async {
        cluster.file.remove()
        if isInterrupted { Terminal.write("\ncurfew: ending what was started\n", to: 2) }
        await cluster.stop()
    }

    /// Checked here as the nodes will check it, so that a wrong setting is one line and nothing has been started.
    private func settings() async throws -> DevCluster.Settings {
        let environment = ProcessInfo.processInfo.environment
        for name in ["CURFEW_TLS_CERT", "CURFEW_TLS_KEY", "CURFEW_ADMIN_CLIENT_CA"] where environment[name] != nil {
            throw CommandFailure(.usage, "\(name): dev serves plain HTTP on loopback, expected none")
        }
        let settings = DevCluster.Settings(
            nodes: nodes, firstPort: port, demoPort: try await portOfPage(),
            redis: redis ?? environment["CURFEW_REDIS"],
            environment: environment)
        var flags = settings.flags(of: 0)
        flags["redis"] = redis
        if settings.lacksSigningKey { flags["signing-secret"] = Secret.random() }
        _ = try await ConfigurationSources(flags: flags, environment: environment).configuration()
        return settings
    }

    /// This very binary.
    private static func program() -> String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? Bundle.main.executablePath ?? CommandLine.arguments[0]
    }
}
