// Places of calls: how many there are, what a large body costs, who gives them back.

import Testing

@testable import CurfewNode

@Suite("Places of calls") struct CallGateTests {
    private let gate = CallGate(maximum: 3, patience: .seconds(1), clock: NodeClock())

    private func place() -> CallPlace { CallPlace(gate: gate) }

    @Test("there are as many places as calls may be worked on, and one that is given back is there again")
    func places() {
        let places = (0..<4).map { _ in place() }
        #expect(places.map { $0.take(bodyBytes: 0, isLight: false) } == [true, true, true, false])
        #expect(places[3].isHopeless(isLight: false))
        places[1].release()
        places[1].release()
        #expect(!places[3].isHopeless(isLight: false))
        #expect(places[3].take(bodyBytes: 0, isLight: false))
        #expect(!places[1].take(bodyBytes: 0, isLight: false))
    }

    @Test("a large body takes more than one place, all of them at most")
    func largeBodies() {
        let (batch, other) = (place(), place())
        #expect(batch.take(bodyBytes: 2 * CallGate.bytesPerPlace, isLight: false))
        #expect(!other.take(bodyBytes: 0, isLight: false))
        batch.release()
        #expect(other.take(bodyBytes: 0, isLight: false))
        #expect(!batch.take(bodyBytes: 2 * CallGate.bytesPerPlace, isLight: false))
        other.release()
        #expect(batch.take(bodyBytes: 8 * 1024 * 1024, isLight: false))
    }

    @Test("a light call has room where the others have none")
    func lightCalls() {
        for _ in 0..<3 { #expect(place().take(bodyBytes: 0, isLight: false)) }
        #expect(!place().isHopeless(isLight: true))
        for _ in 0..<CallGate.reserve { #expect(place().take(bodyBytes: 0, isLight: true)) }
        #expect(!place().take(bodyBytes: 0, isLight: true))
    }

    @Test("a connection that has ended keeps no place, nor one that it takes afterwards")
    func ended() {
        let (ended, other) = (place(), place())
        #expect(ended.take(bodyBytes: 8_000, isLight: false))
        ended.end()
        #expect(ended.take(bodyBytes: 3 * CallGate.bytesPerPlace, isLight: false))
        for _ in 0..<3 { #expect(place().take(bodyBytes: 0, isLight: false)) }
        #expect(!other.take(bodyBytes: 0, isLight: false))
    }

    @Test("a call that waited longer than the gate's patience is known by it, one that holds no place is not")
    func patience() {
        let impatient = CallPlace(gate: CallGate(maximum: 1, patience: .zero, clock: NodeClock()))
        #expect(!impatient.hasWaitedTooLong)
        #expect(impatient.take(bodyBytes: 0, isLight: false))
        let patient = place()
        #expect(patient.take(bodyBytes: 0, isLight: false))
        while !impatient.hasWaitedTooLong {}
        #expect(!patient.hasWaitedTooLong)
        impatient.release()
        #expect(!impatient.hasWaitedTooLong)
    }
}
