-- ARGV: generation, epoch, snapshot time, due at, expires at (or 'never'), rollback (1 or 0),
--       the revision's order within its snapshot, the ledger's last flip, events
-- Answer: flip
local generation, epoch, snapshot_time = ARGV[1], ARGV[2], tonumber(ARGV[3])
local due_at, expires_at, rollback, order = tonumber(ARGV[4]), ARGV[5], ARGV[6] == '1', ARGV[7]
if state.held == '1' and not rollback then return {'held'} end
if state.writing ~= generation then return {'superseded'} end
if now < due_at then return {'not_due'} end
if live and not rollback then
  local same = snapshot_time == live.snapshot_time
  if snapshot_time < live.snapshot_time or (same and tonumber(order) < tonumber(state.order)) then
    return {'older'}
  end
end

-- A full publish (its epoch is its generation) dropped what was garbage before; an incremental one did not.
-- Left now are the live and the previous epoch, unless kept.
local previous, kept = '', {[epoch] = true}
if live and not rollback then
  previous = table.concat({text(live.generation), text(live.epoch), text(live.snapshot_time), expiry()}, ' ')
  kept[text(live.epoch)] = true
end
local garbage = {}
if epoch ~= generation then
  for old in string.gmatch(state.garbage, '%d+') do garbage[#garbage + 1] = old end
end
for _, left in ipairs({string.match(state.previous, '^%d+ (%d+)') or epoch, live and text(live.epoch) or epoch}) do
  if not kept[left] then
    garbage[#garbage + 1] = left
    kept[left] = true
  end
end

local flip = next_flip(ARGV[8])
point(flip, tonumber(generation), tonumber(epoch), snapshot_time)
vouch(flip, expires_at)
redis.call('HSET', STATE, 'writing', '0', 'dirty', '0', 'previous', previous, 'order', order,
  'garbage', table.concat(garbage, ' '), 'event', told(flip, ARGV[9]))
if rollback then redis.call('HSET', STATE, 'held', '1') end
return {'ok', text(flip)}
