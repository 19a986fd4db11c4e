// Hostile input. With `swift test`, a few hundred inputs of one seed a target; `Tests/FuzzTests/run` (and `make fuzz`)
// gives each target as long as it is told, or tries one file again.

import Foundation
import Testing

@Suite("Fuzz") struct FuzzTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let targets = environment["CURFEW_FUZZ_TARGET"].map { [$0] } ?? FuzzTargets.names
    private static let seconds = environment["CURFEW_FUZZ_SECONDS"].map { text in
        guard let seconds = Double(text), seconds > 0 else {
            fatalError("CURFEW_FUZZ_SECONDS: \(text), expected seconds above 0")
        }
        return seconds
    }
    private static let seed = environment["CURFEW_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
    private static let replayed = environment["CURFEW_FUZZ_REPLAY"]

    @Test("no input crashes a reader or breaks its promises", arguments: targets)
    func holds(_ name: String) async throws {
        if let file = Self.replayed {
            return try await FuzzTargets.make(name).check(Array(Data(contentsOf: URL(filePath: file))))
        }
        let folder = FileManager.default.temporaryDirectory.appending(path: "curfew-fuzz-\(getpid())")
        let given = Self.environment["CURFEW_FUZZ_FOLDER"].map { URL(filePath: $0) }
        let limit = Self.seconds.map { FuzzLimit.seconds($0) } ?? .iterations(300)
        try await FuzzRun(name: name, seed: Self.seed, limit: limit, folder: given ?? folder).run()
        if given == nil { try FileManager.default.removeItem(at: folder) }
    }
}
