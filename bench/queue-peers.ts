import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A queue under measurement. */
export interface Contestant {
  add(): Promise<unknown>
  /** Starts to run tasks with a no-op handler. */
  work(onDone: () => void): void | Promise<void>
  close(): Promise<void>
}

/** Packages that only a benchmark needs, installed in a temporary directory. */
export interface InstalledPeers {
  import(name: string): Promise<Record<string, unknown>>
  remove(): Promise<void>
}

/** Installs `bench/peers/queues`. */
export async function installQueuePeers(): Promise<InstalledPeers> {
  const directory = await mkdtemp(join(tmpdir(), 'tally-queue-peers-'))
  await cp(join(import.meta.dir, 'peers/queues'), directory, { recursive: true })
  const install = Bun.spawn([process.execPath, 'install', '--frozen-lockfile'], {
    cwd: directory,
    stdout: 'ignore',
    stderr: 'inherit',
  })
  if ((await install.exited) !== 0) throw new Error('cannot install the peer queues')
  return {
    import: (name) => import(Bun.resolveSync(name, directory)),
    remove: () => rm(directory, { recursive: true }),
  }
}

interface GraphileWorker {
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>
    addJob(name: string, payload: object): Promise<unknown>
    release(): Promise<void>
  }>
  run(options: object): Promise<{
    events: { on(name: 'job:success', listener: () => void): void }
    stop(): Promise<void>
  }>
  Logger: new (factory: () => () => void) => object
}

/** @param localQueueSize jobs to prefetch for the workers; 0 for the library's default, one job at a time */
export async function graphileWorker(
  peers: InstalledPeers,
  connectionString: string,
  { concurrency, localQueueSize }: { concurrency: number; localQueueSize: number },
): Promise<Contestant> {
  const { makeWorkerUtils, run, Logger } = (await peers.import(
    'graphile-worker',
  )) as unknown as GraphileWorker
  const logger = new Logger(() => () => {})
  const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: 10 })
  await utils.migrate()
  let runner: Awaited<ReturnType<GraphileWorker['run']>> | undefined
  return {
    add: () => utils.addJob('task', { payload: 'text' }),
    async work(onDone) {
      runner = await run({
        connectionString,
        logger,
        concurrency,
        noHandleSignals: true,
        maxPoolSize: 10,
        taskList: {
          task: async () => {
            onDone()
          },
        },
        ...(localQueueSize > 0 && {
          preset: { worker: { localQueue: { size: localQueueSize }, completeJobBatchDelay: 0 } },
        }),
      })
    },
    async close() {
      await runner?.stop()
      await utils.release()
    },
  }
}

interface PgBoss {
  start(): Promise<unknown>
  createQueue(name: string): Promise<void>
  send(name: string, data: object): Promise<unknown>
  work(name: string, options: object, handler: (jobs: unknown[]) => Promise<void>): Promise<unknown>
  stop(options: object): Promise<void>
  on(name: 'error', listener: (error: Error) => void): void
}

/** Fetches batches of `concurrency` jobs, without a pause while batches are full. */
export async function pgBoss(
  peers: InstalledPeers,
  connectionString: string,
  concurrency: number,
): Promise<Contestant> {
  const { PgBoss } = (await peers.import('pg-boss')) as unknown as {
    PgBoss: new (options: object) => PgBoss
  }
  const boss = new PgBoss({ connectionString, max: 10, supervise: false, schedule: false })
  boss.on('error', (error) => console.error(error.message))
  await boss.start()
  await boss.createQueue('task')
  return {
    add: () => boss.send('task', { payload: 'text' }),
    async work(onDone) {
      const options = { batchSize: concurrency, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
      await boss.work('task', options, async (jobs) => {
        for (const _ of jobs) onDone()
      })
    },
    close: () => boss.stop({ graceful: false }),
  }
}
