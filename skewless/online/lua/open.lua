-- ARGV: expected flip, the ledger's last generation, full (1 or 0), rollback (1 or 0)
-- Answer: generation, epoch to write under, garbage
local expected, ledger_top, full, rollback = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4] == '1'
if state.held == '1' and not rollback then return {'held'} end
if moved(expected) then return {'moved'} end

local generation = math.max(tonumber(state.top), ledger_top) + 1
full = full or not live or state.dirty == '1'
local garbage = stranded()
redis.call('HSET', STATE, 'writing', text(generation), 'top', text(generation), 'garbage', garbage)
if not full then redis.call('HSET', STATE, 'dirty', '1') end
return {'ok', text(generation), text(full and generation or live.epoch), garbage}
