-- ARGV: expected flip, the ledger's last flip, events
-- Answer: flip
if moved(ARGV[1]) then return {'moved'} end
if not live then return {'not_published'} end
local generation, epoch, snapshot_time, expires_at = string.match(state.previous, '^(%d+) (%d+) (-?%d+) (%w+)$')
if not generation then return {'no_previous'} end
local same_epoch = epoch == text(live.epoch)
-- A publish that only stalls may still write into a dirty epoch, over the row to go back to.
if state.dirty == '1' and same_epoch then return {'dirty_epoch'} end

local flip = next_flip(ARGV[2])
point(flip, tonumber(generation), tonumber(epoch), tonumber(snapshot_time))
vouch(flip, expires_at)
redis.call('HSET', STATE, 'writing', '0', 'dirty', '1', 'held', '1', 'previous', '', 'order', '0',
  'garbage', stranded(not same_epoch and text(live.epoch) or nil), 'event', told(flip, ARGV[3]))
return {'ok', text(flip)}
