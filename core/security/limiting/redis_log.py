"""The sliding window of all processes: one script in Redis, on the clock of Redis.

Of each key the times of the hits that were let in are a list, the newest first, no longer than its largest limit. A hit is let
in when, for every window, the one `limit` places back is older than the window is long; so no stretch of time ever holds more.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redis.exceptions import NoScriptError

from core.security.limiting.verdicts import Demand, Standing, standing_of

if TYPE_CHECKING:
    from core.redis import Client

# ARGV: 1, or 0 to look only; for each key how many windows, then limit and span (microseconds) of each. Answers: the time,
# whether the hit was let in, and for each window how many hits were in it before, and when the oldest of them was.
LUA = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local keys, longest, at, taken, answer = {}, 0, 2, tonumber(ARGV[1]), {}
for i, key in ipairs(KEYS) do
    local windows, span, most = {}, 0, 0
    for _ = 1, tonumber(ARGV[at]) do
        local window = {tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])}
        windows[#windows + 1] = window
        most, span = math.max(most, window[1]), math.max(span, window[2])
        at = at + 2
    end
    at = at + 1
    keys[i] = {key, windows, span, most, redis.call('LLEN', key)}
    local newest = tonumber(redis.call('LINDEX', key, 0) or 0)
    if newest > now + span then  -- the clock was put back: nothing is known any more
        redis.call('DEL', key)
        keys[i][5] = 0
    else
        longest = math.max(longest, newest)
    end
end
now = math.max(now, longest)
for _, one in ipairs(keys) do
    local key, length = one[1], one[5]
    for _, window in ipairs(one[2]) do
        local edge, low, high = now - window[2], 0, length
        if length > 0 and tonumber(redis.call('LINDEX', key, length - 1)) > edge then low = length end
        while low < high do
            local middle = math.floor((low + high) / 2)
            if tonumber(redis.call('LINDEX', key, middle)) > edge then low = middle + 1 else high = middle end
        end
        answer[#answer + 1] = low
        answer[#answer + 1] = low > 0 and tonumber(redis.call('LINDEX', key, low - 1)) or 0
        if low >= window[1] then taken = 0 end
    end
end
if taken == 1 then
    for _, one in ipairs(keys) do
        redis.call('LPUSH', one[1], string.format('%.0f', now))
        if one[5] >= one[4] then redis.call('LTRIM', one[1], 0, one[4] - 1) end
        redis.call('PEXPIRE', one[1], math.ceil(one[3] / 1000) + 1000)
    end
end
return {now, taken, answer}
"""
SHA = hashlib.sha1(LUA.encode(), usedforsecurity=False).hexdigest()


def take(client: "Client", demands: Sequence[Demand], *, hit: bool = True) -> list[Standing]:
    """As MemoryLog.take. One round trip; a second one when Redis doesn't know the script yet. Raises what the client raises."""
    names = [demand.name for demand in demands]
    arguments = [int(hit)]
    for demand in demands:
        arguments.append(len(demand.rate))
        for window in demand.rate:
            arguments += (window.limit, window.span)
    try:
        now, taken, found = client.evalsha(SHA, len(names), *names, *arguments)
    except NoScriptError:
        now, taken, found = client.eval(LUA, len(names), *names, *arguments)
    windows = [window for demand in demands for window in demand.rate]
    return [
        standing_of(window.limit, window.span, used, oldest, now, taken=bool(taken))
        for window, used, oldest in zip(windows, found[::2], found[1::2], strict=True)
    ]
