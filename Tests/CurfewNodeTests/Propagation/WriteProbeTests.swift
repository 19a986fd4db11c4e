// The plain write behind scripts: where a primary may not write, its refusal is what counts, on every version of Redis.

import CurfewCore
import CurfewRedis
import Testing

@testable import CurfewNode

@Suite struct WriteProbeTests {
    private static func isRefused(_ reply: RedisValue) -> Bool {
        do {
            try WriteProbe.verify(reply)
            return false
        } catch { return true }
    }

    @Test("a refusal for want of replicas counts; what the scripts meet themselves, and a write that went well, do not")
    func replies() {
        #expect(Self.isRefused(.error("NOREPLICAS Not enough good replicas to write.")))
        #expect(!Self.isRefused(.integer(0)))
        for other in [
            "MOVED 1 127.0.0.1:7000", "OOM command not allowed", "READONLY You can't write", "ERR NOREPLICAS",
        ] {
            #expect(!Self.isRefused(.error(other)), "\(other)")
        }
    }

    @Test(
        "behind a poll it is refused by a primary that lacks its replicas, whether or not scripts are, and only there")
    func lackingReplicas() async throws {
        try await ScriptBench.run { bench in
            let head = try await bench.open().head
            func probe() async throws -> RedisValue {
                let replies = try await bench.redis.evaluateAll(
                    [bench.calls.poll(ScriptBench.partition, bench.known(nil), applied: head)],
                    then: [WriteProbe.command(bench.calls.keys, ScriptBench.partition)], timeout: .seconds(10))
                return try #require(replies.last)
            }
            let well = try await probe()
            #expect(!Self.isRefused(well))
            let nodes = bench.calls.keys.nodes(ScriptBench.partition)
            let before = try bench.command("HLEN", nodes)
            #expect(try bench.command("CONFIG", "SET", "min-replicas-to-write", "1") == "OK")
            let cutOff = try await probe()
            #expect(Self.isRefused(cutOff), "\(cutOff)")
            #expect(try bench.command("CONFIG", "SET", "min-replicas-to-write", "0") == "OK")
            let back = try await probe()
            #expect(!Self.isRefused(back))
            #expect(try bench.command("HLEN", nodes) == before, "a write that changes nothing")
        }
    }
}
