-- Charges the tapes of a create to a bucket, unless the create is remembered.
--
-- KEYS: the bucket, the create. ARGV: the size of the bucket, its period in ms, the tapes, how long the create is
-- remembered in ms, the id of a new charge.
-- Returns {id of the charge, 0}, or {'', ms until there are enough tapes}.

local bucket, create = KEYS[1], KEYS[2]
local size, period, tapes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local known = redis.call('HGET', create, 'id')
if known then
  redis.call('HINCRBY', create, 'open', 1)
  return {known, 0}
end
local left = left_in(bucket, size, period)
if left < tapes then
  return {'', math.ceil((tapes - left) / size * period)}
end
leave_in(bucket, size, period, left - tapes)
redis.call('HSET', create, 'id', ARGV[5], 'open', 1)
redis.call('PEXPIRE', create, ARGV[4])
return {ARGV[5], 0}
