import type { Config } from '../config.ts'
import { type OpenDatabase, openDatabase } from '../database/open.ts'
import type { DocumentStore } from '../documents/document-store.ts'
import { createDocumentStore } from '../documents/open.ts'
import { traceDocumentStore } from '../documents/traced-store.ts'
import { type Check, type Lifecycle, withTimeout } from '../lifecycle/index.ts'
import { openTaskQueue } from '../tasks/open.ts'
import type { Consumer, Durability, QueueStats, TaskQueue } from '../tasks/task-queue.ts'
import { traceTaskQueue } from '../tasks/traced-queue.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'
import { createFailureReport } from './background-failures.ts'
import { startStep } from './start-step.ts'

/** How long a start waits for the queue to report whether it is durable, in ms. */
const durabilityTimeoutMs = 2_000

/** Opens the configured database. The shutdown closes it. */
export async function openDatabaseFromConfig(
  lifecycle: Lifecycle,
  config: Config,
  log: Log,
): Promise<OpenDatabase> {
  const { DATABASE_URL: url, DATA_DIR: dataDir, DATABASE_POOL_SIZE: maxConnections } = config
  const onCheckpointError = createFailureReport(log, 'checkpoint failed')
  const database = await startStep(url === undefined ? 'DATA_DIR' : 'DATABASE_URL', () =>
    openDatabase({ url, dataDir, postgres: { maxConnections }, onCheckpointError }),
  )
  lifecycle.onClose('database', () => database.close())
  return database
}

/**
 * Opens the configured task queue: on Redis if there is a REDIS_URL, else in the database. The shutdown closes it.
 *
 * @throws Error when the queue could lose tasks and the configuration does not accept that
 */
export async function openQueueFromConfig(
  lifecycle: Lifecycle,
  config: Config,
  database: () => Promise<OpenDatabase>,
  log: Log,
  tracing: Tracing | undefined,
): Promise<TaskQueue> {
  const backend =
    config.REDIS_URL === undefined
      ? await database()
      : {
          engine: 'redis' as const,
          url: config.REDIS_URL,
          managed: config.REDIS_DURABLE === 'managed',
        }
  const reportFailure = createFailureReport(log, 'queue operation failed')
  const queue = await openTaskQueue(backend, {
    capacity: config.QUEUE_MAX,
    maxAttempts: config.TASK_ATTEMPTS,
    retentionMs: config.TASK_TTL,
    leaseMs: config.TASK_LEASE,
    onError: (error, operation) => reportFailure(error, { operation }),
  })
  lifecycle.onClose('queue', () => queue.close())
  const durability = await withTimeout(queue.durability(), durabilityTimeoutMs).catch(() => undefined)
  if (durability !== undefined) reportDurability(durability, config, log)
  return tracing === undefined ? queue : traceTaskQueue(queue, toOtelSystem(backend.engine), tracing)
}

/** @throws Error when the queue could lose tasks and the configuration does not accept that */
function reportDurability(durability: Durability, config: Config, log: Log): void {
  if (durability.durable) {
    if (durability.unverified !== undefined)
      log.info('the platform keeps accepted tasks', { unverified: durability.unverified })
    return
  }
  const { reason } = durability
  if (config.ENVIRONMENT === 'production' && config.REDIS_DURABLE !== false)
    throw new Error(`${reason}: accepted tasks may be lost. Set REDIS_DURABLE=false to accept that`)
  log.warn('accepted tasks may be lost', { reason })
}

/** Opens the document store of an open database. The shutdown closes it. */
export function openStoreFromConfig(
  lifecycle: Lifecycle,
  database: OpenDatabase,
  tracing: Tracing | undefined,
): DocumentStore {
  const store = createDocumentStore(database)
  lifecycle.onClose('store', () => store.close())
  return tracing === undefined ? store : traceDocumentStore(store, toOtelSystem(database.engine), tracing)
}

/** The name of an engine in OpenTelemetry's semantic conventions. */
function toOtelSystem<E extends 'sqlite' | 'postgres' | 'redis'>(engine: E) {
  return engine === 'postgres' ? 'postgresql' : (engine as Exclude<E, 'postgres'>)
}

/**
 * The dependency checks of the queue that `/ready` reports.
 *
 * @param consumer the one that runs tasks in this process, if any: a queue where it cannot claim does not work
 */
export function queueChecks(
  queue: TaskQueue,
  required: boolean,
  consumer: () => Consumer | undefined,
): Check[] {
  return [
    {
      name: 'queue',
      probe: async () => {
        await queue.ping()
        const cause = consumer()?.claimError
        if (cause !== undefined) throw new Error('tasks cannot be claimed', { cause })
      },
      required,
    },
    {
      name: 'queue_durable',
      probe: async () => {
        const durability = await queue.durability()
        if (!durability.durable) throw new Error(durability.reason)
      },
    },
  ]
}

/** Whether this worker may claim tasks. A paused one stays ready: nothing is wrong with it. */
export function claimingCheck(queue: TaskQueue): Check {
  return {
    name: 'queue_claiming',
    probe: async () => {
      const { paused } = await queue.stats()
      if (paused) throw new Error('claiming is paused')
    },
  }
}

/** How long a scrape waits for the queue, in ms. */
const statsTimeoutMs = 1_000

/** The statistics of the queue, for metrics; undefined while the queue is unreachable or slow. */
export function readQueueStats(queue: TaskQueue): Promise<QueueStats | undefined> {
  return withTimeout(queue.stats(), statsTimeoutMs, () => undefined).catch(() => undefined)
}
