// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] =
    [.enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility")]
    // As `make` and CI build it: our own targets, not the dependencies.
    + (Context.environment["WARNINGS_AS_ERRORS"] == "1" ? [.treatAllWarnings(as: .error)] : [])

let nio = "swift-nio"

let package = Package(
    name: "curfew",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "curfew", targets: ["curfew"]),
        .library(name: "CurfewCore", targets: ["CurfewCore"]),
    ],
    dependencies: [
        // Sockets, event loops, HTTP/1.1 parsing.
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        // TLS towards Redis, whatever hiredis was built with, and on the listeners.
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        // Requests, bodies and answers as tasks see them, behind a connection handler of our own.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        // HTTP methods, statuses and header fields as types.
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        // Start and stop of the node's parts in order, and signals.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // Counters, timers and gauges behind types that other libraries count with, too; the registry is our own.
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        // Structured logs.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        // The command line: flags, subcommands, help.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        // Settings from flags, environment and a JSON file, in that order.
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0",
            traits: ["JSON", "CommandLineArguments"]),
        // HTTP from the command line's own calls, and from the tests.
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        // HTTP types on NIO channels, as Hummingbird uses them.
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        // Deques for bounded queues.
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    ],
    targets: [
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CurfewCore", dependencies: ["COpenSSL"], swiftSettings: strict),
        .target(
            name: "CurfewRedis",
            dependencies: [
                "CHiredis", "COpenSSL",
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "CurfewNode",
            dependencies: [
                "CLinux", "CurfewCore", "CurfewRedis",
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            resources: [
                .embedInCode("Store/Lua/prelude.lua"), .embedInCode("Store/Lua/open.lua"),
                .embedInCode("Store/Lua/poll.lua"), .embedInCode("Store/Lua/revoke.lua"),
                .embedInCode("Store/Lua/permissions.lua"), .embedInCode("Store/Lua/reassert.lua"),
                .embedInCode("Store/Lua/issue.lua"), .embedInCode("Store/Lua/read.lua"),
                .embedInCode("Store/Lua/sweep.lua"), .embedInCode("Store/Lua/renew.lua"),
                .embedInCode("Store/Lua/patch.lua"), .embedInCode("Store/Lua/touch.lua"),
                .embedInCode("Store/Lua/expire.lua"), .embedInCode("Store/Lua/rotate.lua"),
                .embedInCode("Store/Lua/limit.lua"), .embedInCode("Store/Lua/audit.lua"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "curfew",
            dependencies: [
                "CurfewNode", "CurfewRedis",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            resources: [
                .embedInCode("Dev/Demo/Page/demo.html"), .embedInCode("Dev/Demo/Page/demo.css"),
                .embedInCode("Dev/Demo/Page/demo.js"),
            ],
            swiftSettings: strict),
        .target(
            name: "TestSupport",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/Support", swiftSettings: strict),
        // Lua as Redis embeds it, for the simulated Redis only.
        .systemLibrary(
            name: "CLua", path: "Tests/Simulator/CLua", pkgConfig: "lua5.1", providers: [.apt(["liblua5.1-0-dev"])]),
        .target(
            name: "Simulator",
            dependencies: [
                "CLua", "COpenSSL", "CurfewCore", "CurfewNode", "CurfewRedis",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Simulator", exclude: ["CLua"], swiftSettings: strict),
        // One seed a run; started as a process of its own, for its hashing must be the same every time.
        .executableTarget(
            name: "simulate",
            dependencies: ["Simulator", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Tests/Simulate", swiftSettings: strict),
        .testTarget(
            name: "CurfewCoreTests", dependencies: ["COpenSSL", "CurfewCore"],
            resources: [.copy("Wycheproof")], swiftSettings: strict),
        .testTarget(
            name: "CurfewRedisTests", dependencies: ["CurfewRedis", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "CurfewNodeTests",
            dependencies: [
                "CurfewNode", "TestSupport", .product(name: "NIOEmbedded", package: nio),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "CommandTests", dependencies: ["TestSupport", "curfew"], swiftSettings: strict),
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "curfew", "TestSupport",
                .product(name: "NIOCore", package: nio),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            exclude: ["run"], swiftSettings: strict),
        .testTarget(
            name: "ClusterTests", dependencies: ["TestSupport", "curfew"], swiftSettings: strict),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "Simulator", "simulate", "CurfewCore", "CurfewNode", "CurfewRedis", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOPosix", package: nio),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "FaultTests", dependencies: ["TestSupport", "curfew"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
