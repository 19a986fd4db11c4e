// The subscriber's connection as a value: each state with each event.

import Testing

@testable import CurfewRedis

@Suite struct SubscriberStateTests {
    static let channels = ["a", "b"]

    static func bytes(_ text: String) -> RedisValue { .bytes(Array(text.utf8)) }
    static func confirmed(_ channel: String, _ count: Int64) -> RedisValue {
        .array([bytes("subscribe"), bytes(channel), .integer(count)])
    }
    static func message(_ channel: String, _ text: String) -> RedisValue {
        .array([bytes("message"), bytes(channel), bytes(text)])
    }
    static let pong = RedisValue.array([bytes("pong"), bytes("")])

    /// A state after these replies.
    static func after(_ replies: RedisValue...) throws -> SubscriberState {
        let address = try RedisAddress(url: "redis://:s3cret@h")
        var state = SubscriberState(greeting: Greeting(address: address), channels: channels)
        for reply in replies { _ = state.received(reply) }
        return state
    }
    static func greeting() throws -> SubscriberState { try after() }
    static func subscribing() throws -> SubscriberState { try after(.status("OK"), .status("PONG")) }
    static func half() throws -> SubscriberState { try after(.status("OK"), .status("PONG"), confirmed("a", 1)) }
    static func live() throws -> SubscriberState {
        try after(.status("OK"), .status("PONG"), confirmed("a", 1), confirmed("b", 2))
    }
    static func silent() throws -> SubscriberState {
        var state = try live()
        _ = state.timerFired()
        return state
    }
    static func closed() throws -> SubscriberState {
        var state = try live()
        _ = state.close(reason: "gone")
        return state
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var state: @Sendable () throws -> SubscriberState
        var event: @Sendable (inout SubscriberState) -> SubscriberState.Action
        var action: SubscriberState.Action
        var phase: SubscriberState.Phase

        init(
            _ name: String, _ state: @escaping @Sendable () throws -> SubscriberState,
            _ event: @escaping @Sendable (inout SubscriberState) -> SubscriberState.Action,
            _ action: SubscriberState.Action, _ phase: SubscriberState.Phase
        ) {
            testDescription = name
            self.state = state
            self.event = event
            self.action = action
            self.phase = phase
        }
    }

    static func close(_ reason: String, wasLive: Bool = false) -> SubscriberState.Action {
        .close(reason: reason, wasLive: wasLive)
    }
    static let odd = "SUBSCRIBE: the reply is not what was asked for"

    static let rows: [Row] = [
        Row("greeting, OK to AUTH", greeting, { $0.received(.status("OK")) }, .none, .greeting(answered: 1)),
        Row(
            "greeting, AUTH refused", greeting, { $0.received(.error("WRONGPASS no")) }, close("AUTH: WRONGPASS no"),
            .closed),
        Row(
            "greeting, a refusal that repeats the password", greeting, { $0.received(.error("ERR s3cret")) },
            close("AUTH: refused"), .closed),
        Row("greeting, anything else", greeting, { $0.received(.null) }, close("AUTH: the reply is not OK"), .closed),
        Row("greeting, timer", greeting, { $0.timerFired() }, close("no subscription in time"), .closed),
        Row("greeting, close", greeting, { $0.close(reason: "x") }, close("x"), .closed),
        Row("subscribing, first", subscribing, { $0.received(confirmed("a", 1)) }, .none, .subscribing(confirmed: 1)),
        Row("subscribing, last", half, { $0.received(confirmed("b", 2)) }, .subscribed, .live(isHeard: true)),
        Row("subscribing, another channel", subscribing, { $0.received(confirmed("b", 1)) }, close(odd), .closed),
        Row("subscribing, another count", half, { $0.received(confirmed("b", 3)) }, close(odd), .closed),
        Row(
            "subscribing, a message", half, { $0.received(message("a", "m")) },
            .deliver(channel: "a", message: Array("m".utf8)), .subscribing(confirmed: 1)),
        Row("subscribing, an error", half, { $0.received(.error("NOPERM x")) }, close("NOPERM x"), .closed),
        Row("subscribing, timer", half, { $0.timerFired() }, close("no subscription in time"), .closed),
        Row(
            "live, a message", live, { $0.received(message("b", "m")) },
            .deliver(channel: "b", message: Array("m".utf8)), .live(isHeard: true)),
        Row("live, a confirmation", live, { $0.received(confirmed("a", 1)) }, close(odd, wasLive: true), .closed),
        Row("live, a number", live, { $0.received(.integer(1)) }, close(odd, wasLive: true), .closed),
        Row("live, an error", live, { $0.received(.error("ERR x")) }, close("ERR x", wasLive: true), .closed),
        Row("live, timer", live, { $0.timerFired() }, .ping, .live(isHeard: false)),
        Row("live, close", live, { $0.close(reason: "x") }, close("x", wasLive: true), .closed),
        Row("silent, a pong", silent, { $0.received(pong) }, .none, .live(isHeard: true)),
        Row(
            "silent, a message", silent, { $0.received(message("a", "")) }, .deliver(channel: "a", message: []),
            .live(isHeard: true)),
        Row("silent, timer", silent, { $0.timerFired() }, close("no heartbeat in time", wasLive: true), .closed),
        Row("closed, a message", closed, { $0.received(message("a", "m")) }, .none, .closed),
        Row("closed, timer", closed, { $0.timerFired() }, .none, .closed),
        Row("closed, close", closed, { $0.close(reason: "x") }, .none, .closed),
    ]

    @Test("each event in each state has its one action", arguments: rows)
    func table(_ row: Row) throws {
        var state = try row.state()
        #expect(row.event(&state) == row.action)
        #expect(state.phase == row.phase)
    }

    @Test("the opening is the greeting and the channels in bounded parts")
    func opening() throws {
        let names = (0..<600).map { "c\($0)" }
        let greeting = Greeting(address: try RedisAddress(url: "redis://ann:s3cret@h/4"))
        let opening = SubscriberState(greeting: greeting, channels: names).opening
        #expect(opening.map(\.operation) == ["AUTH", "SELECT", "PING", "SUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE"])
        #expect(opening[3...].flatMap(\.arguments) == names.map { RedisArgument($0) })
        #expect(opening[3...].allSatisfy { $0.arguments.count <= PubSub.ordinary.channelsPerCommand })
    }

    @Test("sharded channels are asked for one by one, and one whose slot leaves ends the connection")
    func sharded() throws {
        let greeting = Greeting(address: try RedisAddress(url: "redis://h"))
        var state = SubscriberState(greeting: greeting, channels: Self.channels, kind: .sharded)
        #expect(state.opening.map(\.operation) == ["PING", "SSUBSCRIBE", "SSUBSCRIBE"])
        _ = state.received(.status("PONG"))
        for (index, channel) in Self.channels.enumerated() {
            let reply = RedisValue.array([
                Self.bytes("ssubscribe"), Self.bytes(channel), .integer(Int64(index + 1)),
            ])
            #expect(state.received(reply) == (index == 1 ? .subscribed : .none))
        }
        let message = RedisValue.array([Self.bytes("smessage"), Self.bytes("a"), Self.bytes("m")])
        #expect(state.received(message) == .deliver(channel: "a", message: Array("m".utf8)))
        let departure = RedisValue.array([Self.bytes("sunsubscribe"), Self.bytes("a"), .integer(1)])
        #expect(state.received(departure) == Self.close("the slot of a channel has moved", wasLive: true))
    }
}
