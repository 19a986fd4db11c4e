// Lua 5.1, what its headers have as macros for Swift, and the one thing that must be C: raising an error.
// lua_error leaves by longjmp, which must not pass a Swift frame: a callback says that its top of stack is an error, returns,
// and it is raised from here.
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

typedef int (*clua_body)(lua_State *state, void *context);

// What a callback is called with. Must outlive the state.
typedef struct {
    clua_body body;
    void *context;
} clua_callback;

#define CLUA_RAISE (-1)

static int clua_run_callback(lua_State *state) {
    clua_callback *callback = lua_touserdata(state, lua_upvalueindex(1));
    int results = callback->body(state, callback->context);
    return results == CLUA_RAISE ? lua_error(state) : results;
}

static inline void clua_push_callback(lua_State *state, clua_callback *callback) {
    lua_pushlightuserdata(state, callback);
    lua_pushcclosure(state, clua_run_callback, 1);
}

static inline void clua_pop(lua_State *state, int count) { lua_settop(state, -count - 1); }
static inline void clua_new_table(lua_State *state, int elements) { lua_createtable(state, elements, 0); }
static inline int clua_globals_index(void) { return LUA_GLOBALSINDEX; }
static inline int clua_registry_index(void) { return LUA_REGISTRYINDEX; }
static inline int clua_reference(lua_State *state) { return luaL_ref(state, LUA_REGISTRYINDEX); }
static inline void clua_push_reference(lua_State *state, int reference) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, reference);
}
