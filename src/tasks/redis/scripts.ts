import { addDelayedJob } from 'bullmq/dist/esm/scripts/addDelayedJob-6.js'
import { addPrioritizedJob } from 'bullmq/dist/esm/scripts/addPrioritizedJob-9.js'
import { cleanJobsInSet } from 'bullmq/dist/esm/scripts/cleanJobsInSet-3.js'
import { moveJobFromActiveToWait } from 'bullmq/dist/esm/scripts/moveJobFromActiveToWait-9.js'
import { moveToActive } from 'bullmq/dist/esm/scripts/moveToActive-11.js'
import { moveToDelayed } from 'bullmq/dist/esm/scripts/moveToDelayed-11.js'
import { moveToFinished } from 'bullmq/dist/esm/scripts/moveToFinished-14.js'
import { pause } from 'bullmq/dist/esm/scripts/pause-7.js'
import { reprocessJob } from 'bullmq/dist/esm/scripts/reprocessJob-9.js'
import { createScript, findCommands, type Script } from '../../database/redis/script.ts'
import { defaultPriority, maxPriority } from '../task.ts'

/** The fields of a job's hash that a task is made of, in the order in which the scripts return them. */
export const taskFields = [
  'name',
  'data',
  'priority',
  'timestamp',
  'runAt',
  'ats',
  'processedOn',
  'finishedOn',
  'changedOn',
  'returnvalue',
  'failedReason',
] as const

/** The distance between two priorities in BullMQ: times 2^32 it has room for a time in ms. */
const priorityStep = 0x1000

/** BullMQ's first priority is the lowest number, a task's the highest. */
export function toBullmqPriority(priority: number): number {
  return (maxPriority + 1 - priority) * priorityStep
}

/** @param priority 0 for a job of a former version, which has none */
export function fromBullmqPriority(priority: number): number {
  return priority === 0 ? defaultPriority : maxPriority + 1 - priority / priorityStep
}

/**
 * The scripts of the queue. Each is one atomic step on the server: BullMQ's own scripts, called as functions, inside
 * our additions. All times are the server's, because the clocks of processes differ.
 *
 * BullMQ's keys: a hash for each job; `prioritized`, `delayed`, `completed` and `failed`, sorted sets of ids; `active`, a
 * list of ids; `meta`, the settings of the queue. Beside each hash is its lock, the lease. Our keys are the index of all
 * tasks, the sorted set of cancelled ones, and the hash of workers. Our fields in a job's hash: `runAt` (missing: the
 * time of creation), `due` (missing: `runAt`), `rest` (how long a relative delay lasts), `changedOn`.
 */
function script(...parts: string[]): Script {
  const created = createScript(parts.join('\n'))
  scripts.push(created)
  return created
}
const scripts: Script[] = []

/** The commands that the scripts run. */
export const listCommands = (): readonly string[] => findCommands(scripts)

/** A script of BullMQ, as a function of its keys and arguments. */
function asFunction({ name, content }: { readonly name: string; readonly content: string }): string {
  return `local function ${name}(KEYS, ARGV)\n${content}\nend`
}

/** KEYS of every script: the prefix of BullMQ's keys, then ours. */
const shared = `
local prefix, index, cancelled, workers = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local function keys(...)
  local names = { ... }
  for n, name in ipairs(names) do names[n] = prefix .. name end
  return names
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function countPending()
  return redis.call('LLEN', prefix .. 'wait') + redis.call('ZCARD', prefix .. 'prioritized') + redis.call('ZCARD', prefix .. 'delayed')
end
local function dueOf(id)
  local times = redis.call('HMGET', prefix .. id, 'due', 'runAt', 'timestamp')
  return tonumber(times[1] or times[2] or times[3] or now)
end
`

/**
 * `prioritize` makes a task claimable. BullMQ orders by the priority times 2^32 and a counter; here the counter is the
 * time at which the task became due, and the priorities are so far apart that they have room for it. So the order of
 * claims is priority, due time, id, and an id grows with the time of its creation.
 *
 * `promote` makes those claimable that have become due. Tasks of a former version are in a list, without a priority.
 */
const promotion = `
local maxPromoted = 1000
local defaultPriority = ${toBullmqPriority(defaultPriority)}
local function prioritize(id, due)
  local priority = tonumber(redis.call('HGET', prefix .. id, 'priority')) or 0
  if priority == 0 then
    priority = defaultPriority
    redis.call('HSET', prefix .. id, 'priority', priority)
  end
  redis.call('ZADD', prefix .. 'prioritized', priority * 0x100000000 + due, id)
end
local function promote()
  local former = redis.call('RPOP', prefix .. 'wait', maxPromoted) or {}
  for _, id in ipairs(former) do prioritize(id, dueOf(id)) end
  local due = redis.call('ZRANGEBYSCORE', prefix .. 'delayed', 0, (now + 1) * 0x1000 - 1, 'WITHSCORES', 'LIMIT', 0, maxPromoted)
  for n = 1, #due, 2 do
    redis.call('ZREM', prefix .. 'delayed', due[n])
    redis.call('HSET', prefix .. due[n], 'delay', 0)
    prioritize(due[n], math.floor(due[n + 1] / 0x1000))
    redis.call('XADD', prefix .. 'events', '*', 'event', 'waiting', 'jobId', due[n], 'prev', 'delayed')
  end
  return #former + #due
end
`

const status = `
local function statusOf(id)
  if redis.call('ZSCORE', prefix .. 'completed', id) then return 'completed' end
  if redis.call('ZSCORE', prefix .. 'failed', id) then return 'failed' end
  if redis.call('ZSCORE', cancelled, id) then return 'cancelled' end
  if redis.call('LPOS', prefix .. 'active', id) then return 'processing' end
  return 'pending'
end
local function isTask(id)
  return redis.call('TYPE', prefix .. id).ok == 'hash' and redis.call('HEXISTS', prefix .. id, 'data') == 1
end
local function taskOf(id)
  local fields = redis.call('HMGET', prefix .. id, ${taskFields.map((field) => `'${field}'`).join(', ')})
  return { id, statusOf(id), unpack(fields) }
end
`

/**
 * Accepts tasks.
 *
 * ARGV: the capacity, how long a record of an idempotency key is kept, in ms; then for each task id, data, kind, BullMQ's
 * priority, `runAt` or an empty text, delay in ms or an empty text, the name of the record or an empty text, fingerprint.
 * Returns for each the outcome (`added`, `replayed`, `full`, `mismatch`), then the id, the time of creation and `runAt`.
 *
 * A record of a former version may belong to a task that was never added. Then the task is added under that id.
 */
export const enqueueScript = script(
  shared,
  asFunction(addPrioritizedJob),
  asFunction(addDelayedJob),
  `
local pending, capacity = countPending(), tonumber(ARGV[1])
local delayedKeys = keys('marker', 'meta', 'id', 'delayed', 'completed', 'events')
local prioritizedKeys = keys('marker', 'meta', 'id', 'prioritized', 'delayed', 'completed', 'active', 'events', 'pc')
local records = string.gsub(index, 'tasks$', 'idempotency:')
local function enqueue(id, data, kind, priority, chosenRunAt, chosenDelay, name, fingerprint)
  local createdAt, record = now, records .. name
  if name ~= '' then
    local saved = redis.call('GET', record)
    if saved then
      local first = cjson.decode(saved)
      if first.fingerprint ~= fingerprint then return { 'mismatch' } end
      id, createdAt = first.id, first.now
      if first.accepted or redis.call('EXISTS', prefix .. id) == 1 then
        return { 'replayed', id, createdAt, first.runAt or createdAt }
      end
    end
  end
  if pending >= capacity then return { 'full' } end
  pending = pending + 1
  local delay = math.max(0, tonumber(chosenDelay) or (tonumber(chosenRunAt) or now) - now)
  local runAt = delay > 0 and now + delay or createdAt
  local job = cmsgpack.pack({ prefix, id, kind, now })
  if delay > 0 then
    addDelayedJob(delayedKeys, { job, data, cmsgpack.pack({ priority = priority, delay = delay }) })
    if chosenDelay ~= '' then redis.call('HSET', prefix .. id, 'rest', delay) end
  else
    addPrioritizedJob(prioritizedKeys, { job, data, cmsgpack.pack({ priority = priority }) })
    redis.call('ZADD', prefix .. 'prioritized', priority * 0x100000000 + runAt, id)
  end
  if createdAt ~= now then redis.call('HSET', prefix .. id, 'timestamp', createdAt) end
  if runAt ~= createdAt then redis.call('HSET', prefix .. id, 'runAt', runAt) end
  redis.call('ZADD', index, 0, id)
  if name ~= '' then
    local saved = cjson.encode({ fingerprint = fingerprint, id = id, now = createdAt, runAt = runAt, accepted = true })
    redis.call('SET', record, saved, 'PX', ARGV[2])
  end
  return { 'added', id, createdAt, runAt }
end
local outcomes = {}
for n = 3, #ARGV, 8 do
  table.insert(outcomes, enqueue(ARGV[n], ARGV[n + 1], ARGV[n + 2], tonumber(ARGV[n + 3]), unpack(ARGV, n + 4, n + 7)))
end
return outcomes
`,
)

/**
 * Claims tasks.
 *
 * ARGV: how long BullMQ's lock lasts, in ms, then for each claim the lease and the id of the worker.
 * Returns the claimed tasks, for each the id and the job's hash. There may be fewer than claims.
 */
export const claimScript = script(
  shared,
  promotion,
  asFunction(moveToActive),
  `
promote()
-- BullMQ finds no delayed jobs, because it would order them by their arrival.
local claimKeys = keys('wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed:none', 'paused', 'meta', 'pc', 'marker')
local function hasData(fields)
  for n = 1, #fields, 2 do if fields[n] == 'data' then return true end end
end
local function claim(lease, worker)
  while true do
    local reply = moveToActive(claimKeys, { prefix, now, cmsgpack.pack({ token = lease, lockDuration = ARGV[1], name = worker }) })
    local fields, id = reply[1], reply[2]
    if type(fields) ~= 'table' then return nil end
    if hasData(fields) then return { id, fields } end
    -- The job was deleted from outside.
    redis.call('LREM', prefix .. 'active', 1, id)
    redis.call('DEL', prefix .. id, prefix .. id .. ':lock')
  end
end
local claims = {}
for n = 2, #ARGV, 2 do
  local claimed = claim(ARGV[n], ARGV[n + 1])
  if not claimed then break end
  table.insert(claims, claimed)
end
return claims
`,
)

const finish = `
-- Ends a run. The token '0' stands for a lock that does not matter. Returns 0, or a negative code when the lease is lost.
local function finish(id, lease, status, field, value)
  local options = cmsgpack.pack({ token = lease, keepJobs = { count = -1 }, attempts = 0x7fffffff, maxMetricsSize = '' })
  local finishKeys = keys('wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed', 'paused', 'meta', 'pc', status, id, 'metrics:' .. status, 'marker')
  return moveToFinished(finishKeys, { id, now, field, value, status, '0', prefix, options, '' })
end
`

const backToWait = `
-- Makes the task of a run claimable again, due now. Returns a negative code when the lease is lost.
local function backToWait(id, lease)
  local code = moveJobFromActiveToWait(keys('active', 'wait', 'stalled', 'paused', 'meta', 'limiter', 'prioritized', 'marker', 'events'), { id, lease, prefix .. id })
  if code < 0 then return code end
  redis.call('LREM', prefix .. 'wait', 1, id)
  prioritize(id, now)
  redis.call('HSET', prefix .. id, 'due', now, 'changedOn', now)
  return code
end
`

/** Whether a code of BullMQ means that the lease held. */
const written = `
local function written(code, id)
  if code >= 0 then return 'written' end
  return redis.call('ZSCORE', cancelled, id) and 'cancelled' or 'lost'
end
`

/** Renews a lease. ARGV: id, lease, how long BullMQ's lock lasts, in ms. Returns the outcome. */
export const renewScript = script(
  shared,
  written,
  `
local lock = prefix .. ARGV[1] .. ':lock'
local held = redis.call('GET', lock) == ARGV[2]
if held then redis.call('SET', lock, ARGV[2], 'PX', ARGV[3]) end
return written(held and 0 or -1, ARGV[1])
`,
)

/**
 * Records the ends of tasks. ARGV: for each id, lease, `completed` or `failed`, the result or the error. Returns the
 * outcomes.
 */
export const finishScript = script(
  shared,
  asFunction(moveToFinished),
  finish,
  written,
  `
local outcomes = {}
for n = 1, #ARGV, 4 do
  local id, lease, status, value = unpack(ARGV, n, n + 3)
  local field = status == 'completed' and 'returnvalue' or 'failedReason'
  table.insert(outcomes, written(finish(id, lease, status, field, value), id))
end
return outcomes
`,
)

/**
 * Records a failed attempt. ARGV: id, lease, the error, the wait before the next attempt, in ms, `1` to refund the attempt.
 * Returns the outcome.
 */
export const retryLaterScript = script(
  shared,
  asFunction(moveToDelayed),
  written,
  `
local id, delay = ARGV[1], tonumber(ARGV[4])
local delayKeys = keys('marker', 'active', 'prioritized', 'delayed', id, 'events', 'meta', 'stalled', 'wait', 'limiter', 'pc')
local code = moveToDelayed(delayKeys, { prefix, now, id, ARGV[2], delay, '0', '', '0' })
if code >= 0 then
  redis.call('HSET', prefix .. id, 'failedReason', ARGV[3], 'due', now + delay, 'rest', delay, 'changedOn', now)
  if ARGV[5] == '1' then redis.call('HINCRBY', prefix .. id, 'ats', -1) end
end
return written(code, id)
`,
)

/** Makes the task of a run claimable again and refunds the attempt. ARGV: id, lease. Returns the outcome. */
export const releaseScript = script(
  shared,
  promotion,
  asFunction(moveJobFromActiveToWait),
  backToWait,
  written,
  `
local code = backToWait(ARGV[1], ARGV[2])
if code >= 0 then redis.call('HINCRBY', prefix .. ARGV[1], 'ats', -1) end
return written(code, ARGV[1])
`,
)

/** Makes due tasks claimable. Returns the server's time, how many there were, and when the next is due, in ms from now. */
export const promoteScript = script(
  shared,
  promotion,
  `
local promoted = promote()
local next = redis.call('ZRANGE', prefix .. 'delayed', 0, 0, 'WITHSCORES')
return { now, promoted, next[2] and math.max(0, math.floor(next[2] / 0x1000) - now) or false }
`,
)

/**
 * Counts relative delays again that began in the future, because the server's clock was set back.
 *
 * ARGV: how far two readings of a clock may differ, in ms, how many of the latest to skip, and the most to check.
 * Returns how many it checked, and how many of those it left unchanged.
 */
export const restartDelaysScript = script(
  shared,
  `
local from = tonumber(ARGV[2])
local ids = redis.call('ZREVRANGE', prefix .. 'delayed', from, from + ARGV[3] - 1, 'WITHSCORES')
local left = #ids / 2
for n = 1, #ids, 2 do
  local id, due = ids[n], math.floor(ids[n + 1] / 0x1000)
  local rest = tonumber(redis.call('HGET', prefix .. id, 'rest'))
  if rest and due - rest > now + ARGV[1] then
    redis.call('ZADD', prefix .. 'delayed', (now + rest) * 0x1000, id)
    redis.call('HSET', prefix .. id, 'due', now + rest)
    left = left - 1
  end
end
return { #ids / 2, left }
`,
)

/**
 * All leases: for each the id of its task and when BullMQ's lock would expire. Each renewal changes that time, also one by
 * a former version.
 */
export const leasesScript = script(
  shared,
  `
local leases = {}
for n, id in ipairs(redis.call('LRANGE', prefix .. 'active', 0, -1)) do
  leases[n] = { id, redis.call('PEXPIRETIME', prefix .. id .. ':lock') }
end
return leases
`,
)

/**
 * Ends expired leases. A task that has used up its attempts has failed, because its worker died in each of them.
 *
 * ARGV: the most attempts, then for each lease the id of its task and when the lock would expire.
 */
export const requeueScript = script(
  shared,
  promotion,
  asFunction(moveToFinished),
  asFunction(moveJobFromActiveToWait),
  finish,
  backToWait,
  `
for n = 2, #ARGV, 2 do
  local id = ARGV[n]
  local lock = prefix .. id .. ':lock'
  if redis.call('PEXPIRETIME', lock) == tonumber(ARGV[n + 1]) and redis.call('LPOS', prefix .. 'active', id) then
    redis.call('DEL', lock)
    if tonumber(redis.call('HGET', prefix .. id, 'ats') or 0) >= tonumber(ARGV[1]) then
      finish(id, '0', 'failed', 'failedReason', 'the worker died in every attempt')
    elseif backToWait(id, '0') < 0 then
      redis.call('LREM', prefix .. 'active', 1, id)
    end
  end
end
return redis.status_reply('OK')
`,
)

/** Reads a task, or nothing. ARGV: the id, then `1` to leave out the payload. */
export const findScript = script(
  shared,
  status,
  `
if not isTask(ARGV[1]) then return false end
local task = taskOf(ARGV[1])
if ARGV[2] == '1' then task[${taskFields.indexOf('data') + 3}] = false end
return task
`,
)

/**
 * Reads a page of tasks, newest first. The index is a sorted set of ids, all with the score 0, so the server sorts them
 * by their text. The ids are UUIDs of version 7, whose text is in the order of time.
 *
 * Scans at most `maxScanned` ids, because a status may be rare and the server is blocked meanwhile.
 *
 * ARGV: the id to continue after or an empty text, limit, status or an empty text, maxCharacters, maxScanned.
 * Returns the id to continue after or an empty text, then the tasks.
 */
export const listScript = script(
  shared,
  status,
  `
local after, limit, wanted = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local maxCharacters, maxScanned = tonumber(ARGV[4]), tonumber(ARGV[5])
local from = after == '' and '+' or '(' .. after
local ids = redis.call('ZREVRANGEBYLEX', index, from, '-', 'LIMIT', 0, maxScanned)
local tasks, characters, last = {}, 0, ''
for _, id in ipairs(ids) do
  if isTask(id) and (wanted == '' or wanted == statusOf(id)) then
    characters = characters + redis.call('HSTRLEN', prefix .. id, 'data')
    if #tasks == limit or (#tasks > 0 and characters > maxCharacters) then return { last, tasks } end
    table.insert(tasks, taskOf(id))
  end
  last = id
end
return { #ids == maxScanned and last or '', tasks }
`,
)

const retry = `
local function retry(id)
  local retryKeys = keys(id, 'events', 'failed', 'wait', 'meta', 'active', 'marker', 'prioritized', 'pc')
  local code = reprocessJob(retryKeys, { id, 'LPUSH', 'failedReason', 'failed', '1', '1' })
  if code == 1 then
    redis.call('LREM', prefix .. 'wait', 1, id)
    prioritize(id, now)
    redis.call('HSET', prefix .. id, 'due', now, 'changedOn', now)
  end
  return code
end
`

/** Makes a failed task pending again. ARGV: the id. Returns the status that it had and the task, or nothing. */
export const retryScript = script(
  shared,
  promotion,
  asFunction(reprocessJob),
  status,
  retry,
  `
local id = ARGV[1]
if not isTask(id) then return false end
local before = statusOf(id)
if before == 'failed' then retry(id) end
return { before, taskOf(id) }
`,
)

/** Makes failed tasks pending again, the oldest first. ARGV: the most. Returns how many. */
export const retryFailedScript = script(
  shared,
  promotion,
  asFunction(reprocessJob),
  retry,
  `
local ids = redis.call('ZRANGE', prefix .. 'failed', 0, ARGV[1] - 1)
for _, id in ipairs(ids) do
  if retry(id) ~= 1 then redis.call('ZREM', prefix .. 'failed', id) end
end
return #ids
`,
)

/** Cancels a task. ARGV: the id. Returns the task, which is unchanged when it had ended, or nothing. */
export const cancelScript = script(
  shared,
  status,
  `
local id = ARGV[1]
if not isTask(id) then return false end
local before = statusOf(id)
if before == 'pending' or before == 'processing' then
  redis.call('LREM', prefix .. 'active', 1, id)
  redis.call('LREM', prefix .. 'wait', 1, id)
  redis.call('ZREM', prefix .. 'prioritized', id)
  redis.call('ZREM', prefix .. 'delayed', id)
  redis.call('SREM', prefix .. 'stalled', id)
  redis.call('DEL', prefix .. id .. ':lock')
  redis.call('ZADD', cancelled, now, id)
  redis.call('HSET', prefix .. id, 'finishedOn', now)
end
return taskOf(id)
`,
)

/**
 * Deletes ended tasks. ARGV: the retention in ms, the most tasks of each status. Returns whether there may be more.
 */
export const deleteEndedScript = script(
  shared,
  asFunction(cleanJobsInSet),
  `
local before, limit, isMore = now - ARGV[1], tonumber(ARGV[2]), 0
for _, set in ipairs({ prefix .. 'completed', prefix .. 'failed', cancelled }) do
  if redis.call('ZCOUNT', set, '-inf', before) > 0 then
    local ids = cleanJobsInSet({ set, prefix .. 'events', prefix .. 'repeat' }, { prefix, before, limit, 'completed' })
    for _, id in ipairs(ids) do redis.call('ZREM', index, id) end
    if #ids == limit then isMore = 1 end
  end
end
return isMore
`,
)

/** Pauses or resumes claiming. ARGV: `paused` or `resumed`. */
export const pauseScript = script(
  shared,
  asFunction(pause),
  `
local lists = ARGV[1] == 'paused' and { 'wait', 'paused' } or { 'paused', 'wait' }
return pause(keys(lists[1], lists[2], 'meta', 'prioritized', 'events', 'delayed', 'marker'), { ARGV[1], '1' })
`,
)

/** Records a worker's heartbeat. ARGV: its id, its announcement as JSON. */
export const heartbeatScript = script(
  shared,
  `
redis.call('HSET', workers, ARGV[1], cjson.encode({ seenAt = now, worker = ARGV[2] }))
return redis.status_reply('OK')
`,
)

/** Counts pending tasks. */
export const depthScript = script(shared, 'return countPending()')

/**
 * Reads the statistics. ARGV: how long a worker may be silent, in ms. Workers that are silent for longer are deleted.
 *
 * Returns the numbers of waiting, delayed, processing, completed, failed and cancelled tasks, the age of the oldest
 * waiting one, those completed in the last minute, whether claiming is paused, then the workers, each with when it was
 * seen, its announcement, and the ids of its tasks.
 */
export const statsScript = script(
  shared,
  `
local pending = countPending()
local delayed = redis.call('ZCOUNT', prefix .. 'delayed', '(' .. string.format('%.0f', (now + 1) * 0x1000 - 1), '+inf')
local oldest = false
local function consider(due) if due and (not oldest or due < oldest) then oldest = due end end
for n = 1, ${maxPriority + 1} do
  local from = n * ${priorityStep} * 0x100000000
  local first = redis.call('ZRANGEBYSCORE', prefix .. 'prioritized', from, from + ${priorityStep} * 0x100000000 - 1, 'LIMIT', 0, 1)
  if first[1] then consider(dueOf(first[1])) end
end
local former = redis.call('LINDEX', prefix .. 'wait', -1)
if former then consider(dueOf(former)) end
local next = redis.call('ZRANGE', prefix .. 'delayed', 0, 0, 'WITHSCORES')
if next[2] and math.floor(next[2] / 0x1000) <= now then consider(math.floor(next[2] / 0x1000)) end

local tasks = {}
local active = redis.call('LRANGE', prefix .. 'active', 0, -1)
for _, id in ipairs(active) do
  local worker = redis.call('HGET', prefix .. id, 'pb') or ''
  tasks[worker] = tasks[worker] or {}
  table.insert(tasks[worker], id)
end
local living = {}
local announced = redis.call('HGETALL', workers)
for n = 1, #announced, 2 do
  local announcement = cjson.decode(announced[n + 1])
  if math.abs(now - announcement.seenAt) > tonumber(ARGV[1]) then redis.call('HDEL', workers, announced[n])
  else table.insert(living, { announcement.seenAt, announcement.worker, tasks[announced[n]] or {} }) end
end
return {
  pending - delayed, delayed, #active, redis.call('ZCARD', prefix .. 'completed'), redis.call('ZCARD', prefix .. 'failed'), redis.call('ZCARD', cancelled),
  oldest and math.max(0, now - oldest), redis.call('ZCOUNT', prefix .. 'completed', '(' .. string.format('%.0f', now - 60000), string.format('%.0f', now)),
  redis.call('HEXISTS', prefix .. 'meta', 'paused'), living,
}
`,
)
