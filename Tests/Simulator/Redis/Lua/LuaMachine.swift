// Lua 5.1 as Redis embeds it: scripts are compiled once, get KEYS and ARGV, and reach the server through redis.call.
// A script's error never unwinds Swift: the callback returns first, and C raises it (CLua/shim.h).
// One machine serves any number of simulated servers, one command at a time: no state of a script outlives its run.

import CLua
import CurfewRedis

/// A Lua state with Redis' sandbox in it.
package final class LuaMachine {
    /// For the time of one command. A server is a value that tasks may hand around; a machine stays with its run.
    struct Reference: @unchecked Sendable {  // set and cleared within one synchronous call of `execute`
        let machine: LuaMachine
        init(_ machine: LuaMachine) { self.machine = machine }
    }

    let state: OpaquePointer
    /// What C calls with; freed after the state.
    private let callbacks: UnsafeMutablePointer<clua_callback>
    /// Compiled functions, in Lua's registry, by the source's digest.
    private var functions: [String: Int32] = [:]
    private let errorHandler: Int32
    private let globals: Int32
    /// The server whose script runs.
    private var server: UnsafeMutablePointer<SimulatedRedisServer>?

    package init() {
        guard let state = luaL_newstate() else { fatalError("no memory for Lua") }
        self.state = state
        callbacks = .allocate(capacity: LuaSandbox.callbacks.count)
        luaL_openlibs(state)
        for (index, callback) in LuaSandbox.callbacks.enumerated() {
            (callbacks + index).initialize(to: clua_callback(body: callback.body, context: nil))
            clua_push_callback(state, callbacks + index)
            lua_setfield(state, clua_globals_index(), callback.name)
        }
        LuaMachine.load(state, LuaSandbox.source, as: "@sandbox")
        guard lua_pcall(state, 0, 2, 0) == 0 else { fatalError("the sandbox: \(LuaMachine.text(state, -1))") }
        globals = clua_reference(state)
        errorHandler = clua_reference(state)
        let context = Unmanaged.passUnretained(self).toOpaque()
        for index in LuaSandbox.callbacks.indices { callbacks[index].context = context }
    }

    deinit {
        lua_close(state)
        callbacks.deallocate()
    }

    private static func load(_ state: OpaquePointer, _ source: [UInt8], as name: String) {
        let status = source.withUnsafeBytes { bytes in
            luaL_loadbuffer(state, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, name)
        }
        guard status == 0 else { fatalError("\(name): \(text(state, -1))") }
    }

    private static func text(_ state: OpaquePointer, _ index: Int32) -> String { LuaValues.bytes(state, index).text }

    /// Compiles a script that is not known yet.
    func compile(_ digest: String, _ source: [UInt8]) throws(CommandFault) {
        guard functions[digest] == nil else { return }
        let status = source.withUnsafeBytes { bytes in
            luaL_loadbuffer(
                state, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, "@user_script")
        }
        guard status == 0 else {
            defer { clua_pop(state, 1) }
            throw CommandFault("ERR Error compiling script (new function): \(Self.text(state, -1))")
        }
        functions[digest] = clua_reference(state)
    }

    /// Runs a compiled script; its error is the reply.
    func run(
        _ digest: String, keys: ArraySlice<Bytes>, arguments: ArraySlice<Bytes>,
        on server: inout SimulatedRedisServer
    ) -> RedisValue {
        guard let function = functions[digest] else { preconditionFailure("a script is compiled before it runs") }
        let top = lua_gettop(state)
        defer { lua_settop(state, top) }
        clua_push_reference(state, globals)
        setGlobal("KEYS", keys)
        setGlobal("ARGV", arguments)
        clua_push_reference(state, errorHandler)
        clua_push_reference(state, function)
        let status = withUnsafeMutablePointer(to: &server) { pointer in
            self.server = pointer
            defer { self.server = nil }
            return lua_pcall(state, 0, 1, -2)
        }
        return status == 0 ? LuaValues.reply(state, -1) : LuaValues.failure(state, -1, digest: digest)
    }

    /// In the table of globals on top of the stack, past its guard.
    private func setGlobal(_ name: String, _ words: ArraySlice<Bytes>) {
        clua_new_table(state, Int32(words.count))
        for (index, word) in words.enumerated() {
            LuaValues.push(word.array, on: state)
            lua_rawseti(state, -2, Int32(index + 1))
        }
        lua_setfield(state, -2, name)
    }

    /// redis.call and redis.pcall: leaves one value on the stack; `false` where it is an error.
    func call() -> Bool {
        guard let server else { preconditionFailure("scripts run on a server") }
        do throws(CommandFault) {
            LuaValues.push(try server.pointee.executeInScript(try LuaValues.words(state)), on: state)
            return true
        } catch {
            LuaValues.push(.error(error.message), on: state)
            return false
        }
    }
}
