// Whose turn it is to sign, of keys that each begin at a moment.

/// What signs from a moment on, until a younger one does.
public protocol TakesTurns {
    var activeFrom: WallTime { get }
}

extension Array where Element: TakesTurns {
    /// Of those with the same moment, the last in the list is the youngest.
    public var youngestFirst: [Element] { reversed().sorted { $0.activeFrom > $1.activeFrom } }

    /// Of a list with the youngest first, not empty: the youngest that is active by then; the oldest one always is.
    public func signing(at time: WallTime) -> Element { first { $0.activeFrom <= time } ?? self[count - 1] }
}
