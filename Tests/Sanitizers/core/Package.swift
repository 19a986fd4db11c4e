// swift-tools-version: 6.2
import PackageDescription

// CurfewCore and its tests by themselves: no dependency to fetch or to build, so a sanitized build of them takes a
// minute where one of everything takes many. The folders are links to the real ones.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "core",
    platforms: [.macOS(.v15)],
    targets: [
        .systemLibrary(name: "COpenSSL", path: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CurfewCore", dependencies: ["COpenSSL"], path: "CurfewCore", swiftSettings: strict),
        .testTarget(
            name: "CurfewCoreTests", dependencies: ["COpenSSL", "CurfewCore"], path: "CurfewCoreTests",
            resources: [.copy("Wycheproof")], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
