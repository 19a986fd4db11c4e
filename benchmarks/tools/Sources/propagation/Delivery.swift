// The baseline: how long Redis itself takes from a PUBLISH to the last of three subscribers, with a message about as
// long as an event.

import Wire

struct Delivery {
    private static let channel = "delivery"
    private let publisher: Redis
    private let subscribers: [Redis]
    private let command: [UInt8]
    private let message: [UInt8]

    init(path: String, subscribers count: Int) throws {
        publisher = try Redis(path: path)
        subscribers = try (0..<count).map { _ in try Redis(path: path) }
        for subscriber in subscribers {
            try subscriber.socket.send(Redis.command("SUBSCRIBE", Delivery.channel))
            try subscriber.expect(Array("*3\r\n$9\r\nsubscribe\r\n$8\r\ndelivery\r\n:1\r\n".utf8))
        }
        let payload = [UInt8](repeating: UInt8(ascii: "e"), count: 128)
        command = Redis.command([Array("PUBLISH".utf8), Array(Delivery.channel.utf8), payload])
        message = Redis.message(payload, on: Delivery.channel)
    }

    /// Until the last subscriber has the whole message.
    func measure() throws -> Duration {
        let start = ContinuousClock.now
        try publisher.socket.send(command)
        while subscribers.contains(where: { $0.socket.unread.count < message.count }) {
            let waiting = subscribers.filter { $0.socket.unread.count < message.count }.map(\.socket)
            let ready = try readable(waiting, milliseconds: 5_000)
            guard !ready.isEmpty else { throw WireError("a message was not delivered within 5 s") }
            for index in ready { try waiting[index].fill() }
        }
        let time = ContinuousClock.now - start
        for subscriber in subscribers { try subscriber.expect(message) }
        try publisher.expect(Array(":\(subscribers.count)\r\n".utf8))
        return time
    }
}
