// Files that are read again while the node runs: when they change, and on SIGHUP. One that can't be used changes nothing and is said
// once; what was read before stays.

import CurfewCore
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals

/// One of them, or several that belong together.
struct ReloadedFile: Sendable {
    let paths: [String]
    /// What is in it, as the log calls it.
    let name: String
    /// Reads it and takes over what it has. What it returns is logged.
    let apply: @Sendable () throws(Setting.Expectation) -> Logger.Metadata
}

final class FileReloader: Service {
    static let interval = Duration.seconds(1)

    private let files: [ReloadedFile]
    private let logger: Logger
    private let seen: Mutex<[Seen]>

    /// What was there at the last look.
    private struct Seen {
        /// The hash of each file: its content may be a secret. `nil` before the first look.
        var content: [[UInt8]?]?
        /// Why it could not be used: a file's mode may change, or what stands beside it.
        var failure: String?
    }

    /// `files` have been read before; they may have changed since.
    init(_ files: [ReloadedFile], logger: Logger) {
        self.files = files
        self.logger = logger
        seen = Mutex(files.map { _ in Seen() })
    }

    /// Looks until graceful shutdown.
    func run() async throws {
        // Without a file, too: SIGHUP would end the process.
        let signals = await UnixSignalsSequence(trapping: .sighup)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in signals { self.reload(isAsked: true) } }
                group.addTask {
                    while (try? await Task.sleep(for: Self.interval)) != nil { self.reload(isAsked: false) }
                }
            }
        }
    }

    private func reload(isAsked: Bool) {
        seen.withLock { seen in
            for (index, file) in files.enumerated() {
                // Looked at before it is read: what changes in between is seen the next time.
                let (content, before) = (file.content, seen[index])
                let isChanged = isAsked || content != before.content
                guard isChanged || before.failure != nil else { continue }
                seen[index] = Seen(
                    content: content,
                    failure: apply(file, before, isTold: isAsked || before.content != nil, isChanged: isChanged))
            }
        }
    }

    /// Why it can't be used; `nil` where it is. `isTold`: what is taken over is no more than what the node has begun with.
    private func apply(_ file: ReloadedFile, _ before: Seen, isTold: Bool, isChanged: Bool) -> String? {
        do throws(Setting.Expectation) {
            let metadata = try file.apply()
            logger.log(level: isTold ? .notice : .debug, "\(file.name) read again", metadata: metadata)
            return nil
        } catch {
            guard isChanged || error.text != before.failure else { return error.text }
            logger.error(
                "\(file.name) not read again, those of before stay",
                metadata: ["file": "\(file.paths.joined(separator: " "))", "expected": "\(error.text)"])
            return error.text
        }
    }
}

extension ReloadedFile {
    fileprivate var content: [[UInt8]?] {
        paths.map { FileManager.default.contents(atPath: $0).map { sha256(Array($0)) } }
    }

    /// Hashed keys of the admin listener. `fixed`: those that are not from the file.
    static func apiKeys(_ path: String, fixed: [APIKey], into keys: APIKeys) -> ReloadedFile {
        ReloadedFile(paths: [path], name: "API keys") { () throws(Setting.Expectation) in
            let file = try APIKeyFile.load(path: path)
            keys.replace(with: fixed + file.keys)
            return ["keys": "\(file.keys.count)"]
        }
    }

    /// Signing keys: what each of those that are left has signed stays good, whatever comes and goes beside it.
    static func signingKeys(_ path: String, into current: CurrentKeyRing, clock: NodeClock) -> ReloadedFile {
        ReloadedFile(paths: [path], name: "signing keys") { () throws(Setting.Expectation) in
            let before = current.value
            let keys = try SigningKeyFile.load(path: path).keys()
            guard let ring = KeyRing(keys, issuer: before.issuer, audience: before.audience) else {
                throw Setting.Expectation("1 to \(KeyRing.maximumKeys) keys, each of another kid")
            }
            current.replace(with: ring)
            let (old, new) = (Set(before.keyIDs), Set(ring.keyIDs))
            return [
                "signing": "\(ring.signingKey(at: clock.wall()).id)",
                "keys": "\(ring.keyIDs.joined(separator: " "))",
                "added": "\(new.subtracting(old).sorted().joined(separator: " "))",
                "removed": "\(old.subtracting(new).sorted().joined(separator: " "))",
            ]
        }
    }

    /// The listeners' certificate, its key, and whose certificates the admin listener takes.
    static func certificate(_ files: TLSFiles, into tls: ListenerTLS) -> ReloadedFile {
        ReloadedFile(paths: files.paths, name: "certificate") { () throws(Setting.Expectation) in
            let contexts: ListenerTLS.Contexts
            do throws(SettingError) {
                contexts = try files.load()
            } catch {
                throw Setting.Expectation("\(error.expected) as \(error.setting)")
            }
            tls.replace(with: contexts)
            return ["expires": "\(contexts.expiresAt.rfc3339)"]
        }
    }
}
