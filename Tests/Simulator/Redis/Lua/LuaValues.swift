// Replies to Lua values and back, as Redis converts them: null is false, status and error are tables of one field; a number
// loses its fraction, true is 1, false and nil are null, a table ends at its first nil.

import CLua
import CurfewRedis

enum LuaValues {
    static func bytes(_ state: OpaquePointer, _ index: Int32) -> Bytes {
        var length = 0
        guard let start = lua_tolstring(state, index, &length) else { return Bytes([]) }
        return Bytes(Array(UnsafeRawBufferPointer(start: start, count: length)))
    }

    static func push(_ bytes: [UInt8], on state: OpaquePointer) {
        bytes.withUnsafeBytes { buffer in
            lua_pushlstring(state, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
    }

    /// What redis.call was given.
    static func words(_ state: OpaquePointer) throws(CommandFault) -> [Bytes] {
        let count = lua_gettop(state)
        guard count > 0 else {
            throw CommandFault("ERR Please specify at least one argument for this redis lib call")
        }
        var words: [Bytes] = []
        words.reserveCapacity(Int(count))
        for index in 1...count {
            switch lua_type(state, index) {
            case LUA_TSTRING: words.append(bytes(state, index))
            case LUA_TNUMBER: words.append(Bytes(RedisNumber.text(lua_tonumber(state, index))))
            default: throw CommandFault("ERR Lua redis lib command arguments must be strings or integers")
            }
        }
        return words
    }

    static func push(_ value: RedisValue, on state: OpaquePointer) {
        // Two slots a level; a level more than the deepest reply has.
        guard lua_checkstack(state, 4) != 0 else { fatalError("no room on Lua's stack") }
        switch value {
        case .null: lua_pushboolean(state, 0)
        case .integer(let number): lua_pushnumber(state, Double(number))
        case .bytes(let bytes): push(bytes, on: state)
        case .status(let text): pushField("ok", text, on: state)
        case .error(let text): pushField("err", text, on: state)
        case .array(let elements):
            clua_new_table(state, Int32(elements.count))
            for (index, element) in elements.enumerated() {
                push(element, on: state)
                lua_rawseti(state, -2, Int32(index + 1))
            }
        }
    }

    private static func pushField(_ name: String, _ text: String, on state: OpaquePointer) {
        clua_new_table(state, 0)
        push(Array(text.utf8), on: state)
        lua_setfield(state, -2, name)
    }

    /// What a script returned, on top of the stack.
    static func reply(_ state: OpaquePointer, _ index: Int32) -> RedisValue {
        guard lua_checkstack(state, 4) != 0 else { return .error("ERR reached lua stack limit") }
        switch lua_type(state, index) {
        case LUA_TSTRING: return .bytes(bytes(state, index))
        case LUA_TNUMBER: return .integer(Int64(exactly: lua_tonumber(state, index).rounded(.towardZero)) ?? .min)
        case LUA_TBOOLEAN: return lua_toboolean(state, index) == 0 ? .null : .integer(1)
        case LUA_TTABLE: return table(state)
        default: return .null
        }
    }

    private static func table(_ state: OpaquePointer) -> RedisValue {
        if let error = field("err", state) { return .error(error.text) }
        if let status = field("ok", state) { return .status(status.text) }
        var elements: [RedisValue] = []
        while true {
            lua_rawgeti(state, -1, Int32(elements.count + 1))
            defer { clua_pop(state, 1) }
            if lua_type(state, -1) == LUA_TNIL { return .array(elements) }
            elements.append(reply(state, -1))
        }
    }

    /// A field of the table on top that is a string. Raw: no code of the script runs.
    private static func field(_ name: String, _ state: OpaquePointer) -> Bytes? {
        push(Array(name.utf8), on: state)
        lua_rawget(state, -2)
        defer { clua_pop(state, 1) }
        return lua_type(state, -1) == LUA_TSTRING ? bytes(state, -1) : nil
    }

    /// The error of a script that failed: what the sandbox's handler made of it.
    static func failure(_ state: OpaquePointer, _ index: Int32, digest: String) -> RedisValue {
        guard lua_type(state, index) == LUA_TTABLE, let message = field("err", state) else {
            return .error("ERR \(bytes(state, index).text) script: \(digest).")
        }
        guard let place = field("place", state) else { return .error("\(message.text) script: \(digest).") }
        return .error("\(message.text) script: \(digest), on \(place.text).")
    }
}
