// The Lua scripts, embedded in the binary. Each is the prelude (envelope, log, stamps, joins) followed by its own file.

import CurfewRedis

package enum Scripts {
    package static let open = script("open", PackageResources.open_lua)
    package static let poll = script("poll", PackageResources.poll_lua)
    package static let issue = script("issue", PackageResources.issue_lua)
    package static let renew = script("renew", PackageResources.renew_lua)
    package static let rotate = script("rotate", PackageResources.rotate_lua)
    package static let revoke = script("revoke", PackageResources.revoke_lua)
    package static let permissions = script("permissions", PackageResources.permissions_lua)
    package static let reassert = script("reassert", PackageResources.reassert_lua)
    package static let read = script("read", PackageResources.read_lua)
    package static let patch = script("patch", PackageResources.patch_lua)
    package static let touch = script("touch", PackageResources.touch_lua)
    package static let expire = script("expire", PackageResources.expire_lua)
    package static let limit = script("limit", PackageResources.limit_lua)
    package static let sweep = script("sweep", PackageResources.sweep_lua)

    /// Belongs to no partition: it needs none of the prelude.
    static let audit = RedisScript(name: "audit", source: PackageResources.audit_lua)

    private static func script(_ name: String, _ body: [UInt8]) -> RedisScript {
        RedisScript(name: name, source: PackageResources.prelude_lua + [UInt8(ascii: "\n")] + body)
    }
}
