-- 200 with the session that the bearer token names, 401 without one, 503 without Redis.

local authorization = ngx.var.http_authorization
local id = authorization and string.match(authorization, "^Bearer (.+)$")
if not id then return ngx.exit(401) end

local redis = require("nginx.redis"):new()
redis:set_timeout(1000)
if not redis:connect(ngx.var.redis_socket) then return ngx.exit(503) end
local session, failure = redis:get("session:" .. id)
if failure then return ngx.exit(503) end
redis:set_keepalive(60000, 64)
if session == ngx.null then return ngx.exit(401) end

ngx.header["Content-Length"] = #session
ngx.print(session)
