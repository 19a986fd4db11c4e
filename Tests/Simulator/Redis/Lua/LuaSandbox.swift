// What a script sees: Redis' own functions, the parts of Lua's libraries that reach nothing outside and are the same in every
// run, and a table of globals that it can't write to. Missing beside real Redis: math.random, cjson, cmsgpack, bit, struct.

import CLua
import CurfewRedis

enum LuaSandbox {
    struct Callback {
        let name: String
        let body: clua_body
    }

    /// Written in Swift; given to the sandbox's own source as globals, which it takes away.
    static let callbacks = [
        Callback(name: "call") { state, context in
            LuaSandbox.machine(context).call() ? 1 : CLUA_RAISE
        },
        Callback(name: "pcall_command") { state, context in
            _ = LuaSandbox.machine(context).call()
            return 1
        },
        Callback(name: "sha1hex") { state, context in
            guard let state else { return 0 }
            guard lua_gettop(state) == 1 else {
                LuaValues.push(.error("ERR wrong number of arguments"), on: state)
                return CLUA_RAISE
            }
            LuaValues.push(Digest.hexBytes(LuaValues.bytes(state, 1).array), on: state)
            return 1
        },
    ]

    private static func machine(_ context: UnsafeMutableRawPointer?) -> LuaMachine {
        guard let context else { preconditionFailure("callbacks have their machine") }
        return Unmanaged<LuaMachine>.fromOpaque(context).takeUnretainedValue()
    }

    /// Leaves the error handler and the globals that may be set from outside.
    static let source = Array(
        """
        local getinfo, error, setmetatable, type, tostring = debug.getinfo, error, setmetatable, type, tostring
        local sub, find = string.sub, string.find
        local command, pcommand, digest = call, pcall_command, sha1hex

        local function read_only() error('Attempt to modify a readonly table', 2) end
        local function guarded(content)
          return setmetatable({}, { __index = content, __newindex = read_only, __metatable = false })
        end
        local function without(library, ...)
          for _, name in ipairs({ ... }) do library[name] = nil end
          return guarded(library)
        end

        local globals = {
          string = without(string, 'dump'), table = guarded(table),
          math = without(math, 'random', 'randomseed'), coroutine = guarded(coroutine),
        }
        for _, name in ipairs({ 'assert', 'error', 'getmetatable', 'ipairs', 'next', 'pairs', 'rawequal', 'rawget',
          'select', 'setmetatable', 'tonumber', 'tostring', 'type', 'unpack', 'xpcall' }) do
          globals[name] = _G[name]
        end
        local function outcome(ok, failure, ...)
          if not ok and type(failure) == 'table' and type(failure.err) == 'string' then failure = failure.err end
          return ok, failure, ...
        end
        local protected = pcall
        globals.pcall = function(...) return outcome(protected(...)) end
        globals.redis = guarded({
          call = command, pcall = pcommand, sha1hex = digest,
          status_reply = function(text) return { ok = text } end,
          error_reply = function(text)
            if sub(text, 1, 1) == '-' then text = sub(text, 2) end
            return { err = find(text, ' ', 1, true) and text or 'ERR ' .. text }
          end,
          LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3, log = function() end,
        })
        setmetatable(globals, { __index = function(_, name)
          error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
        end })
        local environment = setmetatable({}, { __index = globals, __newindex = read_only, __metatable = false })
        globals._G = environment

        local function handle(failure)
          local level = 2
          local info = getinfo(level, 'Sl')
          while info and info.source ~= '@user_script' do
            level = level + 1
            info = getinfo(level, 'Sl')
          end
          if type(failure) ~= 'table' then failure = { err = 'ERR ' .. tostring(failure) } end
          if info then failure.place = info.source .. ':' .. info.currentline end
          return failure
        end
        setfenv(0, environment)
        return handle, globals

        """.utf8)
}
