// The verdict allocates nothing. Measured in a process of its own, where nobody else allocates, by the C library's
// own count of bytes in use, on a thread that is new: a block that is freed stays counted in that thread's cache, so
// even one that lives for a nanosecond shows, the first time that its size is asked for.

#if canImport(Glibc)
    import Glibc
    import Testing

    @testable import CurfewCore

    @Suite struct VerdictAllocationTests {
        @Test("10,000 verdicts of every kind allocate nothing")
        func allocatesNothing() async {
            let child = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
                // A sanitizer brings its own allocator, whose bytes are not counted here.
                guard heapBytes({ _ = Array(1...100).map { $0 + 1 } }) > 0 else { return }
                for (name, expected, judge) in try verdicts() {
                    if judge() != expected { complain("\(name): \(judge()) was not to be measured") }
                    // Another thread may tidy up meanwhile; what a verdict allocates shows every time.
                    var bytes = 1
                    for _ in 0..<3 where bytes != 0 { bytes = heapBytes { for _ in 0..<10_000 { _ = judge() } } }
                    if bytes != 0 { complain("\(name): \(bytes) bytes") }
                }
            }
            #expect(child.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } == "")
        }
    }

    private func complain(_ text: String) { write(STDERR_FILENO, text + "\n", text.utf8.count + 1) }

    private typealias Judged = (name: String, expected: Outcome, judge: () -> Outcome)

    private func verdicts() throws -> [Judged] {
        let plain = try TokenFixture()
        let token = try plain.ring.encode(plain.claims)
        let awkward = plain.token(
            plain.payload(["sub": #""\u0075_42""#, "prm": #"[ "a\/b" ]"#], appending: #","x":"é""#))
        let reordered = plain.token(header: #"{"kid":"k1","alg":"HS256","typ":"session+jwt","x":[1]}"#, plain.payload())
        let known = try TokenFixture()
        known.apply(.everyone(Stamp(5)))
        known.apply(.tenant(try #require(TenantID("acme")), Stamp(1000)))
        known.apply(.user(known.claims.user, Stamp(1000)))
        known.apply(.permissions(known.claims.user, try #require(Permissions(["a", "b"])), Stamp(2000)))
        for index: UInt64 in 0..<1000 {
            known.apply(.sessions([SessionID(partition: known.partition, high: index, low: index)]))
        }
        let revoked = try TokenFixture()
        revoked.apply(.user(revoked.claims.user, Stamp(2000)))
        let late = TokenFixture.boot + .seconds(5)
        let afterwards = WallTime(seconds: TokenFixture.wall.seconds + 100_000)
        let forged = plain.token(plain.payload(), key: plain.olderKey)
        let malformed = plain.token(plain.payload(["knd": nil]))
        return [
            ("active", .active, { plain.verdict(token) }),
            ("active, escaped", .active, { plain.verdict(awkward) }),
            ("active, another header", .active, { plain.verdict(reordered) }),
            ("active, with cutoffs and permissions", .active, { known.verdict(token) }),
            ("revoked", .refused(.revoked), { revoked.verdict(token) }),
            ("expired", .refused(.expired), { plain.verdict(token, wall: afterwards) }),
            ("malformed", .refused(.malformed), { plain.verdict(malformed) }),
            ("no token", .refused(.malformed), { plain.verdict([]) }),
            ("forged", .refused(.signatureInvalid), { plain.verdict(forged) }),
            ("stale", .stale, { known.verdict(token, boot: late) }),
        ]
    }

    /// How many bytes of heap `body` asked for, on a new thread.
    private func heapBytes(_ body: @escaping () -> Void) -> Int {
        final class Work {
            let body: () -> Void
            var bytes = 0
            init(_ body: @escaping () -> Void) { self.body = body }
        }
        let work = Work(body)
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let work = Unmanaged<Work>.fromOpaque(argument).takeUnretainedValue()
                free(malloc(4000))  // The thread's cache itself is allocated now.
                let before = heapBytesInUse()
                work.body()
                work.bytes = heapBytesInUse() - before
                return nil
            }, Unmanaged.passUnretained(work).toOpaque())
        precondition(created == 0)
        pthread_join(thread, nil)
        return work.bytes
    }

    /// `mallinfo2().uordblks`. Swift does not import malloc.h; a function that returns ten words is called the same way
    /// as one that returns any larger C struct, so another one's room is borrowed for the answer.
    private func heapBytesInUse() -> Int {
        guard let symbol = dlsym(nil, "mallinfo2") else { return 0 }
        let mallinfo2 = unsafeBitCast(symbol, to: (@convention(c) () -> rusage).self)
        return withUnsafeBytes(of: mallinfo2()) { $0.load(fromByteOffset: 7 * MemoryLayout<Int>.stride, as: Int.self) }
    }
#endif
