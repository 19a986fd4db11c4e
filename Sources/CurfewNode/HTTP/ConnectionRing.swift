// The connections of one listener on one event loop, and which of them goes when there is no room for another: the hand
// of a clock walks over them, spares whoever has sent a whole request since it last came by, and ends the first that has
// not and that nobody is working for. That is near enough to "the one that was idle longest", and costs a request one flag
// and no clock. Who sends a head or a body byte by byte, or doesn't read its answers, counts as idle.

/// Used on its event loop only.
final class ConnectionRing {
    private var members: [ConnectionHandler] = []
    private var hand = 0

    func add(_ handler: ConnectionHandler) {
        handler.ring = self
        handler.placeInRing = members.count
        members.append(handler)
    }

    func remove(_ handler: ConnectionHandler) {
        guard let place = handler.placeInRing, let last = members.popLast() else { return }
        handler.placeInRing = nil
        if last !== handler {
            members[place] = last
            last.placeInRing = place
        }
    }

    /// Ends one connection; `false` where each of them was of use within two turns of the hand, or is being worked for.
    func makeRoom() -> Bool {
        for _ in 0..<(2 * members.count) {
            if hand >= members.count { hand = 0 }
            let member = members[hand]
            hand += 1
            if member.isDispensable() {
                remove(member)
                member.dismiss()
                return true
            }
        }
        return false
    }
}
