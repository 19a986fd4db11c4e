// What a target is: it makes inputs, and says what must hold for any bytes whatever.

/// One entrance that hostile bytes may come through.
protocol FuzzTarget {
    /// Bytes to try; the same for the same randomness.
    func input(_ random: inout Randomness) -> [UInt8]
    /// Throws a `Finding` where a promise is broken. Depends on nothing but the bytes, so that they alone repeat it.
    func check(_ input: [UInt8]) async throws
}

/// A promise that was broken.
struct Finding: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

func demand(_ holds: Bool, _ promise: @autoclosure () -> String) throws {
    guard holds else { throw Finding(promise()) }
}

enum FuzzTargets {
    static let names = ["token", "http", "resp", "replies", "configuration", "json", "ids"]

    static func make(_ name: String) throws -> any FuzzTarget {
        switch name {
        case "token": try TokenTarget()
        case "http": try HTTPTarget()
        case "resp": RESPTarget()
        case "replies": RepliesTarget()
        case "configuration": ConfigurationTarget()
        case "json": JSONTarget()
        case "ids": IDTarget()
        default: throw Finding("no target is called \(name)")
        }
    }
}
