// swift-tools-version: 6.2
// A package of its own: what it needs is no part of Curfew's build.
import PackageDescription

let package = Package(
    name: "jwt-kit-client",
    platforms: [.macOS(.v15)],
    dependencies: [.package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1")],
    targets: [
        .executableTarget(name: "jwt-kit-client", dependencies: [.product(name: "JWTKit", package: "jwt-kit")])
    ]
)
