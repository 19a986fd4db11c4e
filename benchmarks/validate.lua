-- wrk: GET with a bearer token, cycling through the lines of $BEARERS, and with the field $HEADER where there is one; at
-- the end one line of JSON on standard error.
-- Every connection takes the next token, so that no two requests in a row are of the same session.

local requests = {}
local at = 0

function init(_)
    local headers = {}
    local name, value = string.match(os.getenv("HEADER") or "", "^([^:]+): (.+)$")
    if name then headers[name] = value end
    for line in io.lines(os.getenv("BEARERS")) do
        headers["Authorization"] = "Bearer " .. line
        requests[#requests + 1] = wrk.format("GET", nil, headers)
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency, _)
    local errors = summary.errors
    io.stderr:write(string.format(
        '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
