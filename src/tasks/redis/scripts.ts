/**
 * Scripts that run on the server in one step, beside BullMQ's own. They read the keys that BullMQ documents for a queue:
 * a hash for each job, the sorted sets `completed`, `failed` and `delayed`, and the lists `active` and `wait`.
 */

/**
 * Reads a page of tasks, newest first. The index is a sorted set of ids, all with the score 0, so the server sorts them
 * by their text. The ids are UUIDs of version 7, whose text is in the order of time.
 *
 * Scans at most `maxScanned` ids, because a status may be rare and the server serves nobody else meanwhile.
 *
 * KEYS: the prefix of the queue's keys, the index.
 * ARGV: the id to continue after or an empty text, limit, status or an empty text, maxCharacters, maxScanned.
 * Returns the id to continue after or an empty text, then the id, status and fields of each task, then the ids of the
 * index that have no task.
 */
export const listScript = `
local prefix, index = KEYS[1], KEYS[2]
local after, limit, wanted = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local maxCharacters, maxScanned = tonumber(ARGV[4]), tonumber(ARGV[5])
local function statusOf(id)
  if redis.call('ZSCORE', prefix .. 'completed', id) then return 'completed' end
  if redis.call('ZSCORE', prefix .. 'failed', id) then return 'failed' end
  if redis.call('LPOS', prefix .. 'active', id) then return 'processing' end
  return 'pending'
end
local from = after == '' and '+' or '(' .. after
local ids = redis.call('ZREVRANGEBYLEX', index, from, '-', 'LIMIT', 0, maxScanned)
local tasks, missing, characters, last = {}, {}, 0, ''
for _, id in ipairs(ids) do
  local key = prefix .. id
  if redis.call('EXISTS', key) == 0 then
    table.insert(missing, id)
  else
    local status = statusOf(id)
    if wanted == '' or wanted == status then
      characters = characters + redis.call('HSTRLEN', key, 'data')
      if #tasks == limit or (#tasks > 0 and characters > maxCharacters) then return { last, tasks, missing } end
      local fields = redis.call('HMGET', key, 'data', 'timestamp', 'processedOn', 'finishedOn', 'ats', 'returnvalue', 'failedReason', 'changedOn')
      table.insert(tasks, { id, status, unpack(fields) })
    end
  end
  last = id
end
return { #ids == maxScanned and last or '', tasks, missing }
`

/**
 * Reads one task; returns nothing when there is none.
 *
 * KEYS: the prefix of the queue's keys. ARGV: the id, then `1` to leave out the payload.
 */
export const findScript = `
local prefix, id = KEYS[1], ARGV[1]
local key = prefix .. id
if redis.call('TYPE', key).ok ~= 'hash' or redis.call('HEXISTS', key, 'ats') + redis.call('HEXISTS', key, 'data') == 0 then return false end
local status = 'pending'
if redis.call('ZSCORE', prefix .. 'completed', id) then status = 'completed'
elseif redis.call('ZSCORE', prefix .. 'failed', id) then status = 'failed'
elseif redis.call('LPOS', prefix .. 'active', id) then status = 'processing' end
local fields = redis.call('HMGET', key, 'data', 'timestamp', 'processedOn', 'finishedOn', 'ats', 'returnvalue', 'failedReason', 'changedOn')
if ARGV[2] == '1' then fields[1] = false end
return { id, status, unpack(fields) }
`

/**
 * Refunds the attempt of a run while its lease holds.
 *
 * KEYS: the key of the job. ARGV: the lease, the time.
 */
export const refundAttemptScript = `
if redis.call('GET', KEYS[1] .. ':lock') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], 'ats', -1)
redis.call('HSET', KEYS[1], 'changedOn', ARGV[2])
return 1
`

/** Records when a task was updated, if it exists. KEYS: the key of the job. ARGV: the time. */
export const setUpdatedAtScript = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'changedOn', ARGV[1]) end
return 1
`

/** Deletes a key if it still has a value. KEYS: the key. ARGV: the value. */
export const deleteIfEqualScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`

/**
 * Reserves a place in the queue for a task that is about to be added, and adds its id to the index. Returns 0 when the
 * queue is at capacity. The reservation lasts until the task is there, so that concurrent tasks do not all take the last
 * place. The reservation of a task that never arrives expires.
 *
 * KEYS: the prefix of the queue's keys, the index, the sorted set of reservations by time.
 * ARGV: the id, the capacity, how long a reservation lasts, in seconds.
 */
export const reserveScript = `
local prefix, index, reserved = KEYS[1], KEYS[2], KEYS[3]
local id, now = ARGV[1], tonumber(redis.call('TIME')[1])
if redis.call('EXISTS', prefix .. id) == 1 then return 1 end
redis.call('ZREMRANGEBYSCORE', reserved, '-inf', now - tonumber(ARGV[3]))
for _, other in ipairs(redis.call('ZRANGE', reserved, 0, -1)) do
  if redis.call('EXISTS', prefix .. other) == 1 then redis.call('ZREM', reserved, other) end
end
local pending = redis.call('LLEN', prefix .. 'wait') + redis.call('ZCARD', prefix .. 'delayed')
if not redis.call('ZSCORE', reserved, id) and pending + redis.call('ZCARD', reserved) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', reserved, now, id)
redis.call('ZADD', index, 0, id)
return 1
`
