/**
 * Task throughput and latency: `bun bench/queue.ts [tasks] [sqlite|redis|postgres]`. Default: 5,000 tasks on all
 * backends. For each queue, in a fresh database:
 * - tasks added per second (32 in parallel),
 * - tasks run per second (a no-op handler, 8 in parallel, all tasks added before),
 * - over HTTP, the time from sending POST /tasks to the completed event, one small task after the other.
 *
 * Peers: bunqueue (also SQLite) for the embedded queue, plain BullMQ for Redis, graphile-worker and pg-boss for
 * PostgreSQL. All adds are durable: on disk before they are confirmed (Redis with an append-only file and fsync on
 * every write).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue as BullQueue, Worker as BullWorker, createBunRedisClient } from 'bullmq'
import { Queue as BunQueue, Worker as BunQueueWorker } from 'bunqueue/client'
import { openDatabase } from '../src/database/open.ts'
import { openTaskQueue, type QueueBackend } from '../src/tasks/open.ts'
import { startPostgres } from '../test/support/postgres.ts'
import { startRedis } from '../test/support/redis.ts'
import { noDrainWindow, type Service, startService } from '../test/support/service.ts'
import { describeMachine } from './machine.ts'
import { type Contestant, graphileWorker, installQueuePeers, pgBoss } from './queue-peers.ts'
import { quantile } from './statistics.ts'

const addersMax = 32
const concurrency = 8
/** Tasks for the latency measurement; the first tenth is warm-up. */
const singles = 300
const payload = '{"numbers":[1,2,3,4,5],"text":"Sample text for analysis"}'

async function measure(name: string, tasks: number, contestant: Contestant): Promise<void> {
  let left = tasks
  const adder = async (): Promise<void> => {
    while (left-- > 0) await contestant.add()
  }
  const addStart = performance.now()
  await Promise.all(Array.from({ length: addersMax }, adder))
  const addSeconds = (performance.now() - addStart) / 1e3

  const all = Promise.withResolvers<void>()
  let done = 0
  const runStart = performance.now()
  await contestant.work(() => {
    if (++done === tasks) all.resolve()
  })
  await all.promise
  const runSeconds = (performance.now() - runStart) / 1e3
  await contestant.close()
  const rate = (seconds: number): string =>
    Math.round(tasks / seconds)
      .toLocaleString('en')
      .padStart(8)
  console.log(`${name.padEnd(24)} add/s ${rate(addSeconds)}   run/s ${rate(runSeconds)}`)
}

async function tally(backend: QueueBackend): Promise<Contestant> {
  const queue = await openTaskQueue(backend)
  return {
    add: () => queue.enqueue({ kind: 'analysis', payload }),
    work(onDone) {
      queue.consume(async () => '{}', { concurrency, timeoutMs: 60_000, onRunEnd: onDone })
    },
    close: () => queue.close(),
  }
}

function plainBullmq(url: string): Contestant {
  const connection = createBunRedisClient(new Bun.RedisClient(url))
  const queue = new BullQueue('plain', { connection })
  let worker: BullWorker | undefined
  return {
    add: () => queue.add('task', { payload }),
    work(onDone) {
      worker = new BullWorker('plain', async () => '{}', { connection, concurrency })
      worker.on('completed', onDone)
    },
    async close() {
      await worker?.close()
      await queue.close()
      connection.disconnect()
    },
  }
}

function bunqueue(dataDir: string): Contestant {
  const options = { embedded: true, dataPath: join(dataDir, 'bunqueue.db') }
  const queue = new BunQueue('tasks', options)
  let worker: BunQueueWorker | undefined
  return {
    add: () => queue.add('task', { payload }, { durable: true }),
    work(onDone) {
      worker = new BunQueueWorker('tasks', async () => '{}', { ...options, concurrency })
      worker.on('completed', onDone)
    },
    async close() {
      await worker?.close()
      await queue.close()
    },
  }
}

/** Time from sending the POST to the completed event, in ms. */
async function timeTask({ url }: Service): Promise<number> {
  const start = performance.now()
  const created = await fetch(`${url}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"payload":${payload}}`,
  })
  const { task_id } = (await created.json()) as { task_id: string }
  const events = await (await fetch(`${url}/tasks/${task_id}/events`)).text()
  if (!events.includes('"status":"completed"')) throw new Error(`not completed: ${events}`)
  return performance.now() - start
}

async function measureSingles(
  name: string,
  env: Record<string, string>,
  separateWorker: boolean,
): Promise<void> {
  await using api = await startService({
    env: { ...noDrainWindow, ...env, ACCESS_LOG: 'false', WORKER: separateWorker ? 'off' : 'embedded' },
  })
  await using _worker = separateWorker
    ? await startService({ program: 'src/worker.ts', env: { ...noDrainWindow, ...env } })
    : undefined
  const ms: number[] = []
  for (let n = 0; n < singles; n++) ms.push(await timeTask(api))
  const warm = ms.slice(singles / 10)
  console.log(
    `${name.padEnd(24)} POST to completed  p50 ${quantile(warm, 0.5).toFixed(1)} ms  p99 ${quantile(warm, 0.99).toFixed(1)} ms`,
  )
}

async function onSqlite(tasks: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tally-bench-'))
  try {
    const database = await openDatabase({ dataDir })
    await measure('embedded', tasks, await tally(database))
    await database.close()
    await measure('bunqueue', tasks, bunqueue(dataDir))
    await measureSingles('embedded', { DATA_DIR: dataDir }, false)
    await measureSingles('embedded, own worker', { DATA_DIR: dataDir }, true)
  } finally {
    await rm(dataDir, { recursive: true })
  }
}

async function onRedis(tasks: number): Promise<void> {
  const server = await startRedis()
  try {
    await measure('Redis', tasks, await tally({ engine: 'redis', url: server.url }))
    await measure('plain BullMQ', tasks, plainBullmq(server.url))
    const env = { REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:' }
    await measureSingles('Redis', env, false)
    await measureSingles('Redis, own worker', env, true)
  } finally {
    await server.remove()
  }
}

async function onPostgres(tasks: number): Promise<void> {
  const server = await startPostgres()
  try {
    const database = await openDatabase({ url: server.url, dataDir: '.' })
    await measure('PostgreSQL', tasks, await tally(database))
    await database.close()
    const peers = await installQueuePeers()
    for (const localQueueSize of [0, 64])
      await measure(
        localQueueSize === 0 ? 'graphile-worker' : 'graphile-worker, batches',
        tasks,
        await graphileWorker(peers, server.url, { concurrency, localQueueSize }),
      )
    await measure('pg-boss', tasks, await pgBoss(peers, server.url, concurrency))
    await peers.remove()
    await measureSingles('PostgreSQL', { DATABASE_URL: server.url }, false)
    await measureSingles('PostgreSQL, own worker', { DATABASE_URL: server.url }, true)
  } finally {
    await server.remove()
  }
}

if (import.meta.main) {
  const [tasks = '5000', only = 'all'] = process.argv.slice(2)
  console.log(JSON.stringify(describeMachine()))
  for (const [engine, run] of Object.entries({ sqlite: onSqlite, redis: onRedis, postgres: onPostgres }))
    if (only === 'all' || only === engine) await run(Number(tasks))
  process.exit(0)
}
