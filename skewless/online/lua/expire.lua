-- ARGV: expected flip, the ledger's last flip, events
-- Answer: flip
if moved(ARGV[1]) then return {'moved'} end
if not live then return {'not_published'} end

local flip = next_flip(ARGV[2])
point(flip, live.generation, live.epoch, live.snapshot_time)
vouch(flip, 'past')
redis.call('HSET', STATE, 'writing', '0', 'held', '1', 'garbage', stranded(), 'event', told(flip, ARGV[3]))
return {'ok', text(flip)}
