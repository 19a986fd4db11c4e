// One target, iteration after iteration. Each input is in a file before it is tried, so that a crash leaves it behind.

import Foundation

/// When a run ends.
enum FuzzLimit {
    case iterations(Int)
    case seconds(Double)
}

struct FuzzRun {
    let name: String
    let seed: UInt64
    let limit: FuzzLimit
    /// Where inputs and the summary are left.
    let folder: URL

    /// The input that is being tried, and below it which one it is.
    private var inputFile: String { folder.appending(path: "\(name).input").path }
    private var placeFile: String { folder.appending(path: "\(name).place").path }

    /// Throws a `Finding` that says how to repeat it.
    func run() async throws {
        let target = try FuzzTargets.make(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let (current, place) = (try OpenFile(inputFile), try OpenFile(placeFile))
        let start = ContinuousClock.now
        var iteration = 0
        var elapsed = 0.0
        while !isOver(iteration, elapsed) {
            var random = Randomness(seed: seed, iteration: iteration)
            let input = target.input(&random)
            current.replace(with: input)
            place.replace(with: Array("seed \(seed), iteration \(iteration)\n".utf8))
            do {
                try await target.check(input)
            } catch {
                throw Finding("\(name), seed \(seed), iteration \(iteration): \(error); input in \(try keep(input))")
            }
            iteration += 1
            elapsed = (ContinuousClock.now - start) / .seconds(1)
        }
        let rate = Int(Double(iteration) / max(elapsed, 0.001))
        let summary = "\(name): \(iteration) inputs in \(Int(elapsed)) s, \(rate)/s, seed \(seed), nothing found\n"
        try Data(summary.utf8).write(to: folder.appending(path: "\(name).summary"))
        for file in [inputFile, placeFile] { try FileManager.default.removeItem(atPath: file) }
    }

    private func isOver(_ iteration: Int, _ elapsed: Double) -> Bool {
        switch limit {
        case .iterations(let count): iteration >= count
        case .seconds(let seconds): elapsed >= seconds
        }
    }

    private func keep(_ input: [UInt8]) throws -> String {
        let file = folder.appending(path: "\(name).found")
        try Data(input).write(to: file)
        return file.path
    }
}

/// A file that is written again and again.
private final class OpenFile {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Finding("\(path) can't be written") }
    }

    deinit { close(descriptor) }

    func replace(with bytes: [UInt8]) {
        _ = pwrite(descriptor, bytes, bytes.count, 0)
        _ = ftruncate(descriptor, off_t(bytes.count))
    }
}
