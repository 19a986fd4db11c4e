// Bytes where they lie: what the token code asks of raw memory beyond the standard library's own.

extension UnsafeRawPointer {
    /// The byte so far from here.
    subscript(offset: Int) -> UInt8 { load(fromByteOffset: offset, as: UInt8.self) }
}

extension UnsafeRawBufferPointer {
    /// Whether the first bytes are these; eight at a time, and not for secrets.
    func begins(with prefix: [UInt8]) -> Bool {
        guard prefix.count <= count else { return false }
        return prefix.withUnsafeBytes { prefix in
            var at = 0
            while at + 8 <= prefix.count {
                let (ours, theirs) = (
                    loadUnaligned(fromByteOffset: at, as: UInt64.self),
                    prefix.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                )
                if ours != theirs { return false }
                at += 8
            }
            while at < prefix.count {
                if self[at] != prefix[at] { return false }
                at += 1
            }
            return true
        }
    }

    /// Whether all bytes are these; not for secrets.
    func equals(_ other: [UInt8]) -> Bool { count == other.count && begins(with: other) }
}
