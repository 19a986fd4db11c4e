// The Lua scripts, embedded in the binary. Each is the prelude (envelope, log, stamps, joins) followed by its own file.

import CurfewRedis

enum Scripts {
    static let open = script("open", PackageResources.open_lua)
    static let poll = script("poll", PackageResources.poll_lua)
    static let issue = script("issue", PackageResources.issue_lua)
    static let revoke = script("revoke", PackageResources.revoke_lua)
    static let permissions = script("permissions", PackageResources.permissions_lua)
    static let reassert = script("reassert", PackageResources.reassert_lua)
    static let read = script("read", PackageResources.read_lua)
    static let sweep = script("sweep", PackageResources.sweep_lua)

    private static func script(_ name: String, _ body: [UInt8]) -> RedisScript {
        RedisScript(name: name, source: PackageResources.prelude_lua + [UInt8(ascii: "\n")] + body)
    }
}
