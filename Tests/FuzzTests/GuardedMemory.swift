// Memory that ends where a page begins that nobody may touch: raw pointers that read or write one byte too far end the
// process at once, in an ordinary build, without a sanitizer.

import Foundation

final class GuardedMemory {
    private let mapping: UnsafeMutableRawPointer
    private let mappedBytes: Int
    /// The bytes before the forbidden page.
    let memory: UnsafeMutableRawBufferPointer

    init(byteCount: Int) throws {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let usable = (byteCount + page - 1) / page * page
        mappedBytes = usable + page
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        guard let start = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED,
            mprotect(start + usable, page, PROT_NONE) == 0
        else { throw Finding("no memory for the test itself") }
        mapping = start
        memory = UnsafeMutableRawBufferPointer(start: start + usable - byteCount, count: byteCount)
    }

    deinit { munmap(mapping, mappedBytes) }

    /// `bytes`, placed so that they end where the forbidden page begins.
    func placing(_ bytes: some Collection<UInt8>) -> UnsafeRawBufferPointer {
        precondition(bytes.count <= memory.count)
        let place = UnsafeMutableRawBufferPointer(rebasing: memory[(memory.count - bytes.count)...])
        place.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(place)
    }
}
