// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "benchmark-tools",
    platforms: [.macOS(.v15)],
    targets: [
        .target(name: "Wire", swiftSettings: strict),
        .executableTarget(name: "seed", dependencies: ["Wire"], swiftSettings: strict),
        .executableTarget(name: "issue", dependencies: ["Wire"], swiftSettings: strict),
        .executableTarget(name: "pace", dependencies: ["Wire"], swiftSettings: strict),
        .executableTarget(name: "propagation", dependencies: ["Wire"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
