-- Freezes the view; an open publish is ended.
redis.call('HSET', STATE, 'held', '1', 'writing', '0', 'garbage', stranded())
return {'ok'}
