// One direction of one connection: what is sent arrives in order, late, and not at all while the way is blocked (TCP keeps it and
// sends it again: what was held back arrives when the way is free, however old it is).

import DequeModule

final class Pipe {
    private let agenda: Agenda
    private let isBlocked: () -> Bool
    private var queue: Deque<() -> Void> = []
    private var arrived = 0
    private var lastArrival: Int64 = 0
    private var isClosed = false

    init(agenda: Agenda, isBlocked: @escaping () -> Bool) {
        self.agenda = agenda
        self.isBlocked = isBlocked
    }

    func send(after delay: Int64, _ deliver: @escaping () -> Void) {
        if isClosed { return }
        queue.append(deliver)
        lastArrival = max(lastArrival, agenda.now + delay)
        agenda.after(lastArrival - agenda.now) { [self] in
            arrived += 1
            flush()
        }
    }

    /// Delivers what has arrived, if the way is free.
    func flush() {
        while arrived > 0, !isBlocked(), let deliver = queue.popFirst() {
            arrived -= 1
            deliver()
        }
    }

    /// What is still under way is lost.
    func close() {
        isClosed = true
        queue = []
    }
}
