// What comes over pub/sub: the events of every partition, and the acknowledgements of what this node asked for. It is only
// the fast path: a lost message is found by the next poll.

import CurfewCore
import CurfewRedis
import Logging

/// Called on the subscriber's event loop; everything it does is bounded by one message.
final class EventListener: Sendable {
    private enum Source: Sendable {
        case events(Partition)
        case acknowledgements
    }
    private let driver: FeedDriver
    let partitions: [Partition]
    let kind: PubSub?
    private let sources: [String: Source]

    init(driver: FeedDriver, partitions: [Partition], kind: PubSub?) {
        self.driver = driver
        self.kind = kind
        self.partitions = partitions
        var sources: [String: Source] = [:]
        for partition in partitions {
            sources[driver.calls.keys.events(partition)] = .events(partition)
            sources[driver.calls.keys.acknowledgements(partition, to: driver.calls.nodeID)] = .acknowledgements
        }
        self.sources = sources
    }

    /// None where it is not known how to listen to them.
    var channels: [String] { kind == nil ? [] : sources.keys.sorted() }

    func heard(on channel: String, _ message: [UInt8]) {
        guard let source = sources[channel] else { return }
        let text = String(decoding: message, as: UTF8.self)
        switch source {
        case .acknowledgements:
            guard let acknowledgement = Acknowledgement(text) else { return }
            driver.fences.acknowledged(acknowledgement.token, by: acknowledgement.node)
        case .events(let partition):
            guard let event = Event(text) else {
                // Not understood is not skipped: the poll finds it in the log, and this node stays where it is.
                driver.logger.error("an event is not readable", metadata: ["partition": "\(partition.index)"])
                driver.requestPoll(partition)
                return
            }
            driver.hear(event, in: partition)
        }
    }

    /// Whatever was published before the subscription stood is in the log.
    func subscribed() {
        for partition in partitions { driver.requestPoll(partition) }
    }
}
