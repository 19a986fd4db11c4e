// What happened, in order: the last lines for whoever reads about a failure, and a hash of all of them, by which two runs of one seed
// are compared.

final class Trace {
    private let agenda: Agenda
    private let capacity: Int
    private var lines: [String] = []
    private var next = 0
    /// A promise was broken: what came before it is kept, not how the run was let go.
    private var isComplete = false
    /// FNV-1a over everything that was noted.
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    init(agenda: Agenda, capacity: Int) {
        self.agenda = agenda
        self.capacity = capacity
    }

    /// The last line.
    func complete(_ who: String, _ what: String) {
        note(who, what)
        isComplete = true
    }

    func note(_ who: String, _ what: @autoclosure () -> String) {
        let what = what()
        mix(UInt64(bitPattern: agenda.now))
        for byte in who.utf8 { mix(UInt64(byte)) }
        for byte in what.utf8 { mix(UInt64(byte)) }
        guard capacity > 0, !isComplete else { return }
        let line = "\(milliseconds)  \(who)  \(what)"
        if lines.count < capacity {
            lines.append(line)
        } else {
            lines[next] = line
            next = (next + 1) % capacity
        }
    }

    /// Oldest first.
    var text: [String] { Array(lines[next...] + lines[..<next]) }

    private func mix(_ value: UInt64) { hash = (hash ^ value) &* 0x0000_0100_0000_01B3 }

    private var milliseconds: String {
        let microseconds = agenda.now / 1000
        let fraction = String(1000 + microseconds % 1000).dropFirst()
        let whole = String(microseconds / 1000)
        return String(repeating: " ", count: max(0, 6 - whole.count)) + whole + "." + fraction
    }
}
