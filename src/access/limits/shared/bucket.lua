-- A token bucket of tapes, which begins full. Each script begins with these functions.

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end

-- How many tapes are left in a bucket of this size, which refills within `period`. Below 0, the bucket is in debt.
local function left_in(bucket, size, period)
  local left, at = unpack(redis.call('HMGET', bucket, 'left', 'at'))
  if not left then
    return size
  end
  local refilled = math.max(0, now() - at) / period * size
  return math.min(size, left + refilled)
end

-- Keeps what is left until the bucket is full again, whatever its size: callers of one name can have different limits.
local function leave_in(bucket, size, period, left)
  left = math.min(size, left)
  redis.call('HSET', bucket, 'left', string.format('%.17g', left), 'at', string.format('%.17g', now()))
  redis.call('PEXPIRE', bucket, math.ceil((1 + math.max(0, -left)) * period))
end
