import type { Config } from '../config.ts'
import { type OpenDatabase, openDatabase } from '../database/open.ts'
import type { DocumentStore } from '../documents/document-store.ts'
import { createDocumentStore } from '../documents/open.ts'
import { traceDocumentStore } from '../documents/traced-store.ts'
import type { Check, Lifecycle } from '../lifecycle/index.ts'
import { openTaskQueue } from '../tasks/open.ts'
import type { TaskQueue } from '../tasks/task-queue.ts'
import { traceTaskQueue } from '../tasks/traced-queue.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Tracing } from '../telemetry/tracing/tracing.ts'

/** How long a start waits to hear whether the queue keeps what it accepts, in ms. */
const durabilityMsMax = 2_000

/** Opens the database as the configuration has it; it is closed with the process. */
export async function openDatabaseFromConfig(lifecycle: Lifecycle, config: Config): Promise<OpenDatabase> {
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.DATA_DIR })
  lifecycle.onClose('database', () => database.close())
  return database
}

/**
 * Opens the queue as the configuration has it: on Redis where there is one, else in the database. It is closed with
 * the process.
 *
 * @throws Error when the queue would lose tasks and the configuration does not accept that
 */
export async function openQueueFromConfig(
  lifecycle: Lifecycle,
  config: Config,
  database: () => Promise<OpenDatabase>,
  log: Log,
  tracing: Tracing | undefined,
): Promise<TaskQueue> {
  const place =
    config.REDIS_URL === undefined ? await database() : { engine: 'redis' as const, url: config.REDIS_URL }
  const queue = await openTaskQueue(place, {
    capacity: config.QUEUE_MAX,
    maxAttempts: config.TASK_ATTEMPTS,
    retentionMs: config.TASK_TTL,
    leaseMs: config.TASK_LEASE,
  })
  lifecycle.onClose('queue', () => queue.close())
  const durability = await Promise.race([
    queue.durability().catch(() => undefined),
    Bun.sleep(durabilityMsMax),
  ])
  if (durability?.durable === false) {
    if (config.ENVIRONMENT === 'production' && config.REDIS_DURABLE)
      throw new Error(
        `${durability.reason}: accepted tasks would be lost. REDIS_DURABLE=false says that this is accepted`,
      )
    log.warn('accepted tasks may be lost', { reason: durability.reason })
  }
  return tracing === undefined ? queue : traceTaskQueue(queue, systemOf(place.engine), tracing)
}

/** Opens the documents of an open database; they are closed with the process. */
export function openStoreFromConfig(
  lifecycle: Lifecycle,
  database: OpenDatabase,
  tracing: Tracing | undefined,
): DocumentStore {
  const store = createDocumentStore(database)
  lifecycle.onClose('store', () => store.close())
  return tracing === undefined ? store : traceDocumentStore(store, systemOf(database.engine), tracing)
}

/** An engine's name in OpenTelemetry's semantic conventions. */
function systemOf<E extends 'sqlite' | 'postgres' | 'redis'>(engine: E) {
  return engine === 'postgres' ? 'postgresql' : (engine as Exclude<E, 'postgres'>)
}

/** What `/ready` shows of the queue. */
export function queueChecks(queue: TaskQueue, required: boolean): Check[] {
  return [
    { name: 'queue', probe: () => queue.ping(), required },
    {
      name: 'queue_durable',
      probe: async () => {
        const durability = await queue.durability()
        if (!durability.durable) throw new Error(durability.reason)
      },
    },
  ]
}
