-- Thaws the view.
redis.call('HSET', STATE, 'held', '0')
return {'ok'}
