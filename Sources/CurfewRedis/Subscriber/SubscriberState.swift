// A subscriber's connection as a value: the greeting, then the confirmations of every channel in order, then messages
// and heartbeats. Messages may come before the last confirmation and are delivered. An event in, one action out, and
// no time in here.

struct SubscriberState {
    enum Phase: Equatable {
        /// That many of the greeting's commands are answered.
        case greeting(answered: Int)
        /// That many channels are confirmed.
        case subscribing(confirmed: Int)
        /// `isHeard`: something came since the last heartbeat.
        case live(isHeard: Bool)
        case closed
    }

    enum Action: Equatable {
        case none
        /// All channels are confirmed: the timer is the heartbeat's from now on.
        case subscribed
        case deliver(channel: String, message: [UInt8])
        /// Send PING and set the timer again.
        case ping
        /// Close the channel; `wasLive` where `subscribed` had been said.
        case close(reason: String, wasLive: Bool)
    }

    private(set) var phase = Phase.greeting(answered: 0)
    private let greeting: Greeting
    private let channels: [String]
    private let kind: PubSub

    init(greeting: Greeting, channels: [String], kind: PubSub = .ordinary) {
        precondition(!channels.isEmpty && Set(channels).count == channels.count, "channels must be some, and distinct")
        self.greeting = greeting
        self.channels = channels
        self.kind = kind
    }

    /// What is written first, all at once.
    var opening: [RedisCommand] {
        greeting.commands
            + stride(from: 0, to: channels.count, by: kind.channelsPerCommand).map { start in
                let part = channels[start..<min(start + kind.channelsPerCommand, channels.count)]
                return RedisCommand(kind.subscribe, part.map { RedisArgument($0) })
            }
    }

    mutating func received(_ value: RedisValue) -> Action {
        switch phase {
        case .closed: return .none
        case .greeting(let answered):
            if let problem = greeting.problem(with: value, to: answered) { return close(reason: problem) }
            let isLast = answered + 1 == greeting.commands.count
            phase = isLast ? .subscribing(confirmed: 0) : .greeting(answered: answered + 1)
            return .none
        case .subscribing(let confirmed):
            return pushed(value, confirmed: confirmed)
        case .live:
            phase = .live(isHeard: true)
            return pushed(value, confirmed: nil)
        }
    }

    /// Connecting took too long, or a heartbeat is due.
    mutating func timerFired() -> Action {
        switch phase {
        case .closed: return .none
        case .greeting, .subscribing: return close(reason: "no subscription in time")
        case .live(isHeard: false): return close(reason: "no heartbeat in time")
        case .live(isHeard: true):
            phase = .live(isHeard: false)
            return .ping
        }
    }

    mutating func close(reason: String) -> Action {
        let wasLive: Bool
        switch phase {
        case .closed: return .none
        case .greeting, .subscribing: wasLive = false
        case .live: wasLive = true
        }
        phase = .closed
        return .close(reason: reason, wasLive: wasLive)
    }

    /// `confirmed` is `nil` once all are.
    private mutating func pushed(_ value: RedisValue, confirmed: Int?) -> Action {
        switch value {
        case .error(let message): return close(reason: message)
        case .array(let parts):
            if parts.count == 3, parts[0] == .bytes(kind.message), case .bytes(let name) = parts[1],
                case .bytes(let message) = parts[2]
            {
                return .deliver(channel: String(decoding: name, as: UTF8.self), message: message)
            }
            if parts.count == 2, parts[0] == .bytes(Self.pong) { return .none }
            if parts.first == .bytes(kind.departure) { return close(reason: "the slot of a channel has moved") }
            if let confirmed, parts == confirmation(of: confirmed) {
                let isLast = confirmed + 1 == channels.count
                phase = isLast ? .live(isHeard: true) : .subscribing(confirmed: confirmed + 1)
                return isLast ? .subscribed : .none
            }
        case .null, .integer, .bytes, .status: break
        }
        return close(reason: "\(kind.subscribe): the reply is not what was asked for")
    }

    private func confirmation(of index: Int) -> [RedisValue] {
        [.bytes(kind.confirmation), .bytes(Array(channels[index].utf8)), .integer(Int64(index + 1))]
    }

    private static let pong = Array("pong".utf8)
}
