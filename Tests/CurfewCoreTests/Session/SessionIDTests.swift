// Session ids: each has one text, and each text is one id or none.

import Testing

@testable import CurfewCore

@Suite struct SessionIDTests {
    @Test("every id comes back from its text")
    func roundTrip() {
        var generator = SeededGenerator(seed: 1)
        let corners: [UInt64] = [0, 1, 61, 62, .max - 1, .max]
        var halves = corners.flatMap { high in corners.map { (high, $0) } }
        for _ in 0..<2000 { halves.append((generator.next(), generator.next())) }
        for (high, low) in halves {
            for partition: UInt16 in [0, 1, 61, 62, 1023] {
                let id = SessionID(partition: Partition(partition), high: high, low: low)
                #expect(id.description.utf8.count == 28)
                #expect(SessionID(id.description) == id)
            }
        }
    }

    @Test("the texts at the ends of the range are known")
    func ends() {
        let first = SessionID(partition: Partition(0), high: 0, low: 0)
        #expect(first.description == "ses_000000000000000000000000")
        let last = SessionID(partition: Partition(1023), high: .max, low: .max)
        #expect(last.description == "ses_GV7n42DGM5Tflk9n8mt7Fhc7")
    }

    @Test(
        "what is not the one spelling of an id is refused",
        arguments: [
            "", "ses_", "ses_00000000000000000000000", "ses_0000000000000000000000000", "ses-000000000000000000000000",
            "Ses_000000000000000000000000", "ses_00000000000000000000000 ", "ses_00000000000000000000000é",
            "ses_0000000000/0000000000000", "ses_0000000000:0000000000000", "ses_0000000000@0000000000000",
            "ses_0000000000[0000000000000", "ses_0000000000`0000000000000", "ses_0000000000{0000000000000",
            "ses_00000000000000000000000\0",
            // One more than the greatest partition, and than the greatest random part.
            "ses_GW0000000000000000000000", "ses_zz0000000000000000000000",
            "ses_007n42DGM5Tflk9n8mt7Fhc8", "ses_00zzzzzzzzzzzzzzzzzzzzzz",
        ])
    func refusals(text: String) {
        #expect(SessionID(text) == nil)
    }

    @Test("a changed byte gives another id or none")
    func changedByte() {
        let id = SessionID(partition: Partition(517), high: 0xdead_beef_0000_0001, low: 42)
        let text = Array(id.description.utf8)
        for index in text.indices {
            for byte in UInt8.min ... .max where byte != text[index] {
                var changed = text
                changed[index] = byte
                let other = changed.withUnsafeBytes { SessionID(utf8: $0) }
                #expect(other != id)
                if let other { #expect(Array(other.description.utf8) == changed) }
            }
        }
    }
}
