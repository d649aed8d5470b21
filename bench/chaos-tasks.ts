/**
 * Whether tasks are lost: `bun bench/chaos-tasks.ts [sqlite|redis|postgres] [tasks] [kills]`, all three, 10,000 tasks
 * and 20 kills unless told otherwise. Eight clients post tasks with an Idempotency-Key to two API processes while these
 * and two workers are killed with -9 at random moments and started again; Redis and PostgreSQL are killed three times
 * as well, Redis with an append-only file on the disk at every write. Every third task has a priority and a delay, and every
 * fifth one is cancelled, at a random moment of its life. Ends with 1 when anything was
 * lost or doubled, or ended otherwise than its clients were told.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPlannedTasks, type PlannedTasks } from '../test/e2e/process/planned-tasks.ts'
import { type ChaosOptions, type ChaosReport, runChaos } from '../test/e2e/process/task-chaos.ts'
import { startPostgres } from '../test/support/postgres.ts'
import { startRedis } from '../test/support/redis.ts'
import { describeMachine } from './machine.ts'

const clients = 8
const outages = 3
/** A task may meet a kill in several of its runs; leases are short, so that the end comes soon. */
const env = { TASK_LEASE: '2s', TASK_ATTEMPTS: '20', ACCESS_LOG: 'false' }

type Load = Pick<ChaosOptions, 'tasks' | 'kills'>

async function onSqlite(load: Load): Promise<ChaosReport> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tally-chaos-'))
  try {
    const planned = await openPlannedTasks({ dataDir })
    const report = await runChaos({ ...load, clients, env: { ...env, DATA_DIR: dataDir }, planned })
    await planned.close()
    return report
  } finally {
    await rm(dataDir, { recursive: true })
  }
}

/** A server of tasks that can be struck down and started again. */
interface Server {
  start(): Promise<void>
  remove(): Promise<void>
}

async function onServer<S extends Server>(
  load: Load,
  server: S,
  strikeDown: (server: S) => Promise<void>,
  place: Readonly<Record<string, string>>,
  planned: PlannedTasks,
): Promise<ChaosReport> {
  const strike = async (): Promise<void> => {
    await strikeDown(server)
    await server.start()
  }
  try {
    return await runChaos({
      ...load,
      clients,
      env: { ...env, ...place },
      outages: { count: outages, strike },
      planned,
    })
  } finally {
    await planned.close()
    await server.remove()
  }
}

async function onRedis(load: Load): Promise<ChaosReport> {
  const server = await startRedis()
  const place = { REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:' }
  const planned = await openPlannedTasks({ redisUrl: server.url, dataDir: '.' })
  return await onServer(load, server, (redis) => redis.kill(), place, planned)
}

async function onPostgres(load: Load): Promise<ChaosReport> {
  const server = await startPostgres()
  const planned = await openPlannedTasks({ url: server.url, dataDir: '.' })
  return await onServer(load, server, (postgres) => postgres.crash(), { DATABASE_URL: server.url }, planned)
}

const adapters = { sqlite: onSqlite, redis: onRedis, postgres: onPostgres }
const [only = 'all', tasks = '10000', kills = '20'] = process.argv.slice(2)

console.log(JSON.stringify(describeMachine()))
for (const [name, run] of Object.entries(adapters)) {
  if (only !== 'all' && only !== name) continue
  const report = await run({ tasks: Number(tasks), kills: Number(kills) })
  console.log(name.padEnd(9), JSON.stringify(report))
  const { accepted, completed, cancelled, lost, doubled, wrong, wronglyEnded, early } = report
  const isComplete = accepted === Number(tasks) && completed + cancelled === accepted
  if (!isComplete || lost + doubled + wrong + wronglyEnded + early > 0) process.exitCode = 1
}
