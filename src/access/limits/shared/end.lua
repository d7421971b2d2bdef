-- Ends a call that makes a create. The tapes are given back if no call may have created them, and charged again if
-- AWS has created others than before.
--
-- KEYS: the bucket, the create. ARGV: the size of the bucket, its period in ms, the tapes, the id of the charge, how
-- the call ended (created, unknown, not_created), a digest of the created tapes or ''.

local bucket, create = KEYS[1], KEYS[2]
local size, period, tapes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ended, created = ARGV[5], ARGV[6]

-- It has lapsed, or lapsed and was charged anew.
if redis.call('HGET', create, 'id') ~= ARGV[4] then
  return
end
local open = redis.call('HINCRBY', create, 'open', -1)
if ended == 'not_created' then
  if open <= 0 and redis.call('HEXISTS', create, 'may_exist') == 0 then
    leave_in(bucket, size, period, left_in(bucket, size, period) + tapes)
    redis.call('DEL', create)
  end
  return
end
redis.call('HSET', create, 'may_exist', 1)
if ended == 'created' then
  local before = redis.call('HGET', create, 'tapes')
  redis.call('HSET', create, 'tapes', created)
  if before and before ~= '' and before ~= created then
    leave_in(bucket, size, period, left_in(bucket, size, period) - tapes)
    redis.call('DEL', create)
  end
end
