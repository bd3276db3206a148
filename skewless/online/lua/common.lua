-- The beginning of every script. KEYS: pointer, alive, state. All times are microseconds since 1970 UTC.
-- An answer is {'ok', ...} or {refusal code}; a refusal has changed nothing.
local POINTER, ALIVE, STATE = KEYS[1], KEYS[2], KEYS[3]

local function text(number) return string.format('%.0f', number) end -- tostring rounds to 14 digits
local function int(number) return '\211' .. struct.pack('>i8', number) end -- the canonical d3

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local live = redis.call('GET', POINTER)
if live then
  local readable, fields = pcall(cmsgpack.unpack, live)
  if not readable or type(fields) ~= 'table' or fields[1] ~= 1 then return {'format'} end
  live = {flip = fields[2], generation = fields[3], epoch = fields[4], snapshot_time = fields[5]}
end

local state = {writing = '0', dirty = '0', held = '0', top = '0', previous = '', garbage = '', order = '0'}
local stored = redis.call('HGETALL', STATE)
for i = 1, #stored, 2 do state[stored[i]] = stored[i + 1] end

-- The pointer is the one that the caller compared with the ledger ('': none).
local function moved(expected)
  return (live and text(live.flip) or '') ~= expected
end

-- Garbage once an open publish is ended: its epoch strands (an incremental one's number names no key).
local function stranded(more)
  local epochs = {}
  for epoch in string.gmatch(state.garbage .. ' ' .. state.writing .. ' ' .. (more or ''), '%d+') do
    if epoch ~= '0' then epochs[#epochs + 1] = epoch end
  end
  return table.concat(epochs, ' ')
end

-- Above the last flip and above the ledger's, also when the server's clock went back.
local function next_flip(ledger_flip)
  return math.max(now, live and live.flip + 1 or 0, tonumber(ledger_flip) + 1)
end

local function point(flip, generation, epoch, snapshot_time)
  redis.call('SET', POINTER, '\149' .. int(1) .. int(flip) .. int(generation) .. int(epoch) .. int(snapshot_time))
end

-- The alive key for a flip until 'never', an instant, or 'past'. PEXPIREAT keeps a key through its millisecond.
local function vouch(flip, expires_at)
  redis.call('DEL', ALIVE)
  if expires_at == 'past' then return end
  if expires_at == 'never' then
    redis.call('SET', ALIVE, int(flip))
  elseif tonumber(expires_at) > now then
    redis.call('SET', ALIVE, int(flip))
    redis.call('PEXPIREAT', ALIVE, text(math.ceil(expires_at / 1000) - 1))
  end
end

-- Until when the alive key vouches for the live generation, as `vouch` takes it.
local function expiry()
  if not live or redis.call('GET', ALIVE) ~= int(live.flip) then return 'past' end
  local last = redis.call('PEXPIRETIME', ALIVE)
  return last == -1 and 'never' or text((last + 1) * 1000)
end

-- What the ledger must be told of a flip: kept until the next flip, so that a publisher may die before telling.
local function told(flip, events)
  return '{"flip":' .. text(flip) .. ',"events":' .. events .. '}'
end
