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

    @Test("only a write that was done proves anything, and no refusal is a redirect: the script has run")
    func replies() {
        #expect(!Self.isRefused(.integer(0)))
        for refusal in [
            "NOREPLICAS Not enough good replicas to write.", "READONLY You can't write", "MOVED 1 127.0.0.1:7000",
            "ASK 1 127.0.0.1:7000", "OOM command not allowed",
        ] {
            let error = #expect(throws: RedisError.self, "\(refusal)") { try WriteProbe.verify(.error(refusal)) }
            #expect(error == .unproven(operation: "write probe", message: refusal))
            #expect(error.flatMap { Redirect($0) } == nil, "\(refusal)")
        }
    }

    @Test(
        "behind a poll it is refused by a primary that lacks its replicas, whether or not scripts are, and by a replica"
    )
    func refused() async throws {
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
            // Made a replica between a poll that it took and the probe. (Nobody listens there: it keeps its data.)
            #expect(try bench.command("REPLICAOF", "127.0.0.1", "1") == "OK")
            let probe = WriteProbe.command(bench.calls.keys, ScriptBench.partition)
            let replica = try await bench.redis.pipeline([probe], timeout: .seconds(10))
            #expect(Self.isRefused(try #require(replica.last)), "\(replica)")
        }
    }
}
