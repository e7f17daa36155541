-- The default mapping of ngx_http_ilert_module as well as it can be written
-- in lua (libnginx-mod-http-lua, lua-cjson), to be compared with.  Numbers go
-- through doubles here; time columns are compared as text; names keep no
-- order; an id is needed.

local cjson = require "cjson.safe"
local byte, find, gmatch, gsub = string.byte, string.find, string.gmatch,
    string.gsub
local char, concat, lower, match, sub = string.char, table.concat,
    string.lower, string.match, string.sub
local null = cjson.null

cjson.decode_max_depth(64)

local KEY = "il1api0be9c4"

local NAMED = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'",
    nbsp = "\194\160" }

local BREAK = {}
for name in gmatch("p div tr li ul ol dl dt dd table thead tbody h1 h2 h3 "
    .. "h4 h5 h6 pre blockquote section article header footer title", "%S+")
do
    BREAK[name] = true
end


local function utf8(n)
    if n == 0 or n > 0x10ffff or (n >= 0xd800 and n <= 0xdfff) then
        n = 0xfffd
    end

    if n < 0x80 then
        return char(n)
    elseif n < 0x800 then
        return char(0xc0 + math.floor(n / 64), 0x80 + n % 64)
    elseif n < 0x10000 then
        return char(0xe0 + math.floor(n / 4096),
                    0x80 + math.floor(n / 64) % 64, 0x80 + n % 64)
    end

    return char(0xf0 + math.floor(n / 262144),
                0x80 + math.floor(n / 4096) % 64,
                0x80 + math.floor(n / 64) % 64, 0x80 + n % 64)
end


local function entity(name)
    if byte(name) ~= 35 then
        return NAMED[name]
    end

    local hex = match(name, "^#x(%x+)$")
    local n = hex and tonumber(hex, 16) or tonumber(match(name, "^#(%d+)$"))

    return n and utf8(n)
end


local function unescape(text)
    if not find(text, "&", 1, true) then
        return text
    end

    return (gsub(text, "&(#?%w+);", entity))
end


local function tag(text)
    local close, name = match(text, "^<(/?)([^%s/>]*)")

    name = lower(name)

    if close == "/" then
        if BREAK[name] then
            return "\n"
        end
        return (name == "td" or name == "th") and " " or ""
    end

    return (name == "br" or name == "hr") and "\n" or ""
end


local function text(html)
    html = gsub(html, "<[%a!/][^>]*>", function(t)
        return byte(t, 2) == 47 and not find(t, "^</%a") and t or tag(t)
    end)

    return (match(unescape(html), "^%s*(.-)%s*$"))
end


local function dumped(details)
    if not find(details, "^%s*{") then
        return nil
    end

    local dump = cjson.decode(unescape(details))

    if type(dump) == "table" and type(dump.TaskName) == "string"
       and type(dump.Group) == "string" and type(dump.ID) == "string"
       and type(dump.Level) == "string"
    then
        return dump
    end
end


local function known(value)
    if value ~= null then
        return value
    end
end


-- Rows are written as text at once: cjson takes twice as long for tables.

local encode = cjson.encode

local function add_rows(series, time, state)
    local columns = known(series.columns) or {}
    local all = known(series.values) or {}
    local n, prefix, at = #columns, {}, nil

    for i = 1, n do
        if columns[i] == "time" then
            at = i
        else
            prefix[i] = encode(columns[i]) .. ":"
        end
    end

    local about = (series.name and ',"measurement":' .. encode(series.name)
                   or "")
        .. (known(series.tags) and ',"tags":' .. encode(series.tags) or "")

    for j = 1, #all do
        local values, out, k = all[j], {}, 0

        if #values ~= n then
            error("expected " .. n .. " values", 0)
        end

        for i = 1, n do
            if i ~= at then
                local value = values[i]

                out[k + 1] = k > 0 and "," or ""
                out[k + 2] = prefix[i]
                out[k + 3] = type(value) == "number" and value
                             or encode(value)
                k = k + 3
            end
        end

        local fields = concat(out)
        local when = at and known(values[at])

        if not state.trigger and when and when == time then
            state.trigger = #state + 1
            state.about, state.fields = about, fields
        elseif not state.trigger and state.first then
            state.last = #state + 1
            state.last_about, state.last_fields = about, fields
        end

        state[#state + 1] = (when and '{"time":' .. encode(when) .. about
                             or "{" .. sub(about, 2)) .. ',"fields":{'
                            .. fields .. "}}"
    end
end


local function event(body)
    local w, err = cjson.decode(body)

    if type(w) ~= "table" then
        error("not JSON: " .. tostring(err), 0)
    end

    local level = w.level
    if level ~= "OK" and level ~= "INFO" and level ~= "WARNING"
       and level ~= "CRITICAL"
    then
        error("level: expected OK, INFO, WARNING or CRITICAL", 0)
    end

    local data = known(w.data)
    local series = data and known(data.series) or {}
    local time = known(w.time)
    local rows = {}

    for i = 1, #series do
        rows.first = i == 1
        add_rows(series[i], time, rows)
    end

    if rows.trigger then
        table.remove(rows, rows.trigger)
    elseif rows.last then
        table.remove(rows, rows.last)
        rows.about, rows.fields = rows.last_about, rows.last_fields
    end

    local custom = {
        id = known(w.id), level = level,
        previousLevel = known(w.previousLevel), time = time,
        duration = known(w.duration), message = known(w.message),
    }

    local details = known(w.details) or ""
    local dump = dumped(details)

    if dump then
        custom.task, custom.group = dump.TaskName, dump.Group
        custom.server = dump.ServerInfo and dump.ServerInfo.Hostname
        details = nil
    else
        details = text(details)
        details = details ~= "" and details or nil
    end

    local summary = known(w.message)
    if not summary or summary == "" then
        summary = w.id .. " is " .. level
    end

    local head = '{"integrationKey":"' .. KEY .. '",' .. sub(encode({
        eventType = level == "OK" and "RESOLVE" or "ALERT",
        summary = summary, details = details, alertKey = w.id,
    }), 2, -2) .. ',"customDetails":' .. sub(encode(custom), 1, -2)
        .. (rows.about or "")
        .. (rows.fields and ',"fields":{' .. rows.fields .. "}" or "")

    local json = head .. (rows[1] and ',"rows":[' .. concat(rows, ",") .. "]"
                          or "") .. "}}"

    while #json > 65536 and rows[1] do
        rows[#rows] = nil
        json = head .. ',"rows":[' .. concat(rows, ",")
               .. '],"truncated":true}}'
    end

    return json
end


local M = {}


-- access: the request's body becomes the event's, proxy_pass does the rest;
-- no subrequest, the cheapest way there is.

function M.map()
    ngx.req.read_body()

    local ok, json = pcall(event, ngx.req.get_body_data() or "")

    if not ok then
        ngx.ctx.answer = cjson.encode({ status = "rejected", error = json })
        return ngx.exit(400)
    end

    ngx.req.set_body_data(json)
end


function M.header()
    local answer = ngx.ctx.answer

    if not answer then
        if ngx.status >= 200 and ngx.status < 300 then
            ngx.status = 202
            answer = '{"status":"accepted","event":"1"}'
        else
            answer = '{"status":"rejected","error":"ilert answered '
                     .. ngx.status .. '"}'
            ngx.status = 502
        end

        ngx.ctx.answer = answer
    end

    ngx.header.content_type = "application/json"
    ngx.header.content_length = #answer
end


function M.body()
    if ngx.arg[2] then
        ngx.arg[1] = ngx.ctx.answer
    else
        ngx.arg[1] = nil
    end
end


return M
