// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "verdict-benchmark",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "curfew", path: "../..")],
    targets: [
        .target(name: "CAllocations"),
        .executableTarget(
            name: "verdict",
            dependencies: ["CAllocations", .product(name: "CurfewCore", package: "curfew")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
