// What a node reads in INFO, and which servers it refuses to trust.

import CurfewCore
import Testing

@testable import CurfewNode

@Suite("A Redis that a node connects to")
struct RedisInfoTests {
    private static func info(version: String = "7.0.15", policy: String = "noeviction") -> RedisInfo {
        RedisInfo(
            """
            # Server\r
            redis_version:\(version)\r
            run_id:abc\r
            # Memory\r
            maxmemory_policy:\(policy)\r
            # Replication\r
            role:master\r
            connected_slaves:2\r
            master_replid:def\r
            master_replid2:0000\r
            """)
    }

    @Test("is read field by field, and what is missing is missing")
    func fields() {
        let info = Self.info()
        #expect(info.role == "master")
        #expect(info.connectedReplicas == 2)
        #expect(info.sighting() == .init(runID: "abc", replicationID: "def", previousReplicationID: "0000"))
        #expect(RedisInfo("role:slave").sighting(runID: "abc") == nil)
        #expect(RedisInfo("").version == nil)
    }

    @Test(
        "must be 6.2 or newer",
        arguments: [
            ("6.0.16", false), ("6.1.9", false), ("6.2.0", true), ("6.2", true), ("7.0.15", true), ("7.4.1", true),
            ("8.0.0", true), ("5.0.14", false), ("255.255.255", true), ("", false), ("seven", false),
        ])
    func versions(version: String, isSupported: Bool) {
        #expect(RedisInfo.isSupported(version: version) == isSupported)
        let checks = StartChecks(partitionCount: 4)
        let expected: StartError? = isSupported ? nil : .unsupportedVersion(version)
        var thrown: StartError?
        do throws(StartError) {
            try checks.verify(Self.info(version: version))
            try checks.verify(stored: "4")
        } catch {
            thrown = error
        }
        #expect(thrown == expected)
        #expect(checks.havePassed == isSupported)
    }

    @Test("must not evict what has no time to live", arguments: ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
    func evictingPolicies(policy: String) {
        #expect(throws: StartError.evictingPolicy(policy)) {
            try StartChecks(partitionCount: 4).verify(Self.info(policy: policy))
        }
    }

    @Test("may evict what has one", arguments: ["noeviction", "volatile-lru", "volatile-ttl", "volatile-random"])
    func harmlessPolicies(policy: String) throws {
        try StartChecks(partitionCount: 4).verify(Self.info(policy: policy))
    }

    @Test("must have those partitions wherever it is found, and that ends a node only where it never did")
    func partitionsOfCluster() async {
        let checks = StartChecks(partitionCount: 4)
        var failures = checks.fatal.makeAsyncIterator()
        let error = StartError.partitionCount(configured: 4, cluster: "16")
        #expect(throws: Never.self) { try checks.verify(stored: "4", of: Partition(1)) }
        #expect(throws: error) { try checks.verify(stored: "16", of: Partition(1)) }
        #expect(throws: StartError.partitionCount(configured: 4, cluster: "8")) {
            try checks.verify(stored: "8", of: Partition(0))
        }
        #expect(await failures.next() == .partitionCount(configured: 4, cluster: "8"))
    }

    @Test("must have the partitions that the node is set to")
    func partitions() {
        #expect(throws: StartError.partitionCount(configured: 4, cluster: "16")) {
            try StartChecks(partitionCount: 4).verify(stored: "16")
        }
    }
}
