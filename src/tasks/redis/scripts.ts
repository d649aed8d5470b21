/**
 * What is done on the server in one step, beside BullMQ's own scripts. They read the keys that BullMQ documents for a
 * queue: a hash for each job, sorted sets `completed`, `failed` and `delayed`, lists `active` and `wait`.
 */

/**
 * A page of tasks, newest first. The index is a sorted set of ids, all with the score 0, so that the server sorts them
 * by their text; and ids are UUIDs of version 7, whose text is in the order of time.
 *
 * Looks at no more than `looksMax` ids, for a status may be rare and the server answers nobody else meanwhile.
 *
 * KEYS: the prefix of the queue's keys, the index.
 * ARGV: the id to continue after or an empty text, limit, status or an empty text, charactersMax, looksMax.
 * Gives: the id to continue after or an empty text, then for each task its id and fields (see `readFields`); then the
 * ids of the index that have no task any more.
 */
export const listScript = `
local prefix, index = KEYS[1], KEYS[2]
local after, limit, wanted = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local charactersMax, looksMax = tonumber(ARGV[4]), tonumber(ARGV[5])
local function statusOf(id)
  if redis.call('ZSCORE', prefix .. 'completed', id) then return 'completed' end
  if redis.call('ZSCORE', prefix .. 'failed', id) then return 'failed' end
  if redis.call('LPOS', prefix .. 'active', id) then return 'processing' end
  return 'pending'
end
local from = after == '' and '+' or '(' .. after
local ids = redis.call('ZREVRANGEBYLEX', index, from, '-', 'LIMIT', 0, looksMax)
local tasks, gone, characters, last = {}, {}, 0, ''
for _, id in ipairs(ids) do
  local key = prefix .. id
  if redis.call('EXISTS', key) == 0 then
    table.insert(gone, id)
  else
    local status = statusOf(id)
    if wanted == '' or wanted == status then
      characters = characters + redis.call('HSTRLEN', key, 'data')
      if #tasks == limit or (#tasks > 0 and characters > charactersMax) then return { last, tasks, gone } end
      local fields = redis.call('HMGET', key, 'data', 'timestamp', 'processedOn', 'finishedOn', 'ats', 'returnvalue', 'failedReason', 'changedOn')
      table.insert(tasks, { id, status, unpack(fields) })
    end
  end
  last = id
end
return { #ids == looksMax and last or '', tasks, gone }
`

/**
 * One task, or nothing when there is none.
 *
 * KEYS: the prefix of the queue's keys. ARGV: the id; \`1\` to leave the payload out.
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
 * Takes back the attempt of a run, while its lease holds.
 *
 * KEYS: the key of the job. ARGV: the lease, the time.
 */
export const refundAttemptScript = `
if redis.call('GET', KEYS[1] .. ':lock') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], 'ats', -1)
redis.call('HSET', KEYS[1], 'changedOn', ARGV[2])
return 1
`

/** Notes when a task changed, if there is one. KEYS: the key of the job. ARGV: the time. */
export const setUpdatedAtScript = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'changedOn', ARGV[1]) end
return 1
`

/** Deletes a key that still has a value. KEYS: the key. ARGV: the value. */
export const deleteIfEqualScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`

/**
 * Keeps a place among the tasks that wait for one that is about to be added, and puts it into the index; gives 0 when
 * there is none. The place is held until the task is there, so that tasks which come at the same moment do not all take
 * the last one. A place whose task never came is free after a while.
 *
 * KEYS: the prefix of the queue's keys, the index, the sorted set of places by the time they were given.
 * ARGV: the id, how many may wait, how long a place is kept, in seconds.
 */
export const reserveScript = `
local prefix, index, admitted = KEYS[1], KEYS[2], KEYS[3]
local id, now = ARGV[1], tonumber(redis.call('TIME')[1])
if redis.call('EXISTS', prefix .. id) == 1 then return 1 end
redis.call('ZREMRANGEBYSCORE', admitted, '-inf', now - tonumber(ARGV[3]))
for _, other in ipairs(redis.call('ZRANGE', admitted, 0, -1)) do
  if redis.call('EXISTS', prefix .. other) == 1 then redis.call('ZREM', admitted, other) end
end
local waiting = redis.call('LLEN', prefix .. 'wait') + redis.call('ZCARD', prefix .. 'delayed')
if not redis.call('ZSCORE', admitted, id) and waiting + redis.call('ZCARD', admitted) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', admitted, now, id)
redis.call('ZADD', index, 0, id)
return 1
`
