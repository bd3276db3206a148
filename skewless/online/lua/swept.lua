-- Takes epochs whose keys are gone off the garbage. ARGV: the epochs
local gone, left = {}, {}
for _, epoch in ipairs(ARGV) do gone[epoch] = true end
for epoch in string.gmatch(state.garbage, '%d+') do
  if not gone[epoch] then left[#left + 1] = epoch end
end
redis.call('HSET', STATE, 'garbage', table.concat(left, ' '))
return {'ok'}
