// Reading `prm`: an array of permissions. Answers copy it as it stands, so spaces and escapes are taken out on the
// way; what is left is never longer than what was there, so it is written over it.

extension JSONCursor {
    /// The place of the array, without spaces and escapes; `nil` for what is not an array of at most 256 permissions.
    mutating func permissions() -> Range<Int>? {
        let start = at
        guard take(UInt8(ascii: "[")) else { return nil }
        var end = at
        var count = 0
        skipSpace()
        while !take(UInt8(ascii: "]")) {
            if count > 0 {
                guard take(UInt8(ascii: ",")) else { return nil }
                put(UInt8(ascii: ","), at: &end)
                skipSpace()
            }
            guard count < Permissions.maximumCount, let name = string(), appendPermission(name, at: &end)
            else { return nil }
            count += 1
            skipSpace()
        }
        put(UInt8(ascii: "]"), at: &end)
        return start..<end
    }

    private func appendPermission(_ name: Text, at end: inout Int) -> Bool {
        put(UInt8(ascii: "\""), at: &end)
        let target = text + end
        var length = name.count
        if name.hasEscapes {
            length = Unescaping.write(name, of: self, to: target)
        } else if end != name.start {
            target.copyMemory(from: text + name.start, byteCount: length)
        }
        let bytes = UnsafeRawBufferPointer(start: target, count: length)
        guard (1...Permissions.maximumBytes).contains(length), bytes.allSatisfy(\.isPermissionByte) else {
            return false
        }
        end += length
        put(UInt8(ascii: "\""), at: &end)
        return true
    }

    /// Never passes `at`: what is written is at most what was read.
    private func put(_ byte: UInt8, at end: inout Int) {
        assert(end < at)
        text.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
        end += 1
    }
}
