// The two kinds of channels that Redis has. An ordinary message in a cluster goes to every member of it; a sharded one stays
// with the members that have the channel's slot (Redis 7).

/// A kind of channels, and its verbs.
package enum PubSub: String, Sendable, Hashable {
    case ordinary
    case sharded

    package var publish: String { self == .sharded ? "SPUBLISH" : "PUBLISH" }
    var subscribe: String { self == .sharded ? "SSUBSCRIBE" : "SUBSCRIBE" }
    /// The first word of a confirmation.
    var confirmation: [UInt8] { Array(subscribe.lowercased().utf8) }
    /// The first word of a message.
    var message: [UInt8] { Array((self == .sharded ? "smessage" : "message").utf8) }
    /// Said without being asked when a channel's slot leaves the member.
    var departure: [UInt8] { Array((self == .sharded ? "sunsubscribe" : "unsubscribe").utf8) }
    /// Channels that go into one command. All channels of a sharded one must be in one slot.
    var channelsPerCommand: Int { self == .sharded ? 1 : 256 }
}
