/**
 * Chaos test of the task queues: `bun bench/chaos-tasks.ts [sqlite|redis|postgres] [tasks] [kills]`. Defaults: all
 * three backends, 10,000 tasks, 20 kills. Eight clients post tasks with an Idempotency-Key to two API processes. Kill -9
 * hits these processes and two workers at random moments; each restarts. Redis and PostgreSQL are also killed three
 * times; Redis syncs its append-only file on every write. Every third task has a priority and a delay. Every fifth task
 * is canceled at a random moment. Exits with 1 if a task was lost or duplicated, completed before its due time, returned
 * a wrong result, or ended in a state that its client did not expect.
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
/** Many attempts, because kills can hit several runs of one task; short leases, so that the test ends soon. */
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

/** A queue server that the test can kill and restart. */
interface Server {
  start(): Promise<void>
  remove(): Promise<void>
}

async function onServer<S extends Server>(
  load: Load,
  server: S,
  kill: (server: S) => Promise<void>,
  backendEnv: Readonly<Record<string, string>>,
  planned: PlannedTasks,
): Promise<ChaosReport> {
  const strike = async (): Promise<void> => {
    await kill(server)
    await server.start()
  }
  try {
    return await runChaos({
      ...load,
      clients,
      env: { ...env, ...backendEnv },
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
  const backendEnv = { REDIS_URL: server.url, DATABASE_URL: 'sqlite::memory:' }
  const planned = await openPlannedTasks({ redisUrl: server.url, dataDir: '.' })
  return await onServer(load, server, (redis) => redis.kill(), backendEnv, planned)
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
