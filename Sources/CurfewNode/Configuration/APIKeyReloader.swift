// Reads the file of API keys again when it has changed: a key that was taken out is refused within seconds, without a restart. A
// file that can't be used changes nothing and is said once; the keys of before stay.

import Foundation
import Logging
import ServiceLifecycle

struct APIKeyReloader: Service {
    let path: String
    /// Keys that do not come from the file (`api-key`).
    let fixed: [APIKey]
    let keys: APIKeys
    let logger: Logger

    static let interval = Duration.seconds(1)

    /// Looks until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var seen = content()
            while true {
                do { try await Task.sleep(for: Self.interval) } catch { return }
                let now = content()
                guard now != seen else { continue }
                seen = now
                apply(now)
            }
        }
    }

    private func content() -> Data? { FileManager.default.contents(atPath: path) }

    private func apply(_ data: Data?) {
        do throws(Setting.Expectation) {
            guard let data else { throw Setting.Expectation("a file that can be read") }
            let file = try APIKeyFile(json: data)
            keys.replace(with: fixed + file.keys)
            logger.notice("API keys read again", metadata: ["keys": "\(file.keys.count)"])
        } catch {
            logger.error(
                "API keys not read again, those of before stay",
                metadata: ["file": "\(path)", "expected": "\(error.text)"])
        }
    }
}
