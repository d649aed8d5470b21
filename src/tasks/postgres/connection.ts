import { createPostgresBackend, type PgPool, Queue, runMigrations, Worker } from 'bullmq'
import { Pool, type PoolClient } from 'pg'
import { maxStalledCount, queueName, stalledIntervalMs } from '../bullmq/backend.ts'
import { QueueUnavailable } from '../task-queue.ts'

/** Connections for BullMQ's statements, and one more that only listens. */
const maxConnections = 6
/** How long a connection, a statement on the server, and a whole call may take, in ms. */
const connectTimeoutMs = 1_500
const statementTimeoutMs = 3_000
const callTimeoutMs = 4_000
/** How long to wait before the next try to listen, in ms. */
const listenRetryMs = 250
/** How long closing waits for calls under way, in ms. */
const closeMsMax = 2_000
/** What a client is told to wait, in seconds. */
const retryAfterSeconds = 1

/** BullMQ's queue and worker in PostgreSQL. */
export interface PostgresBull {
  readonly queue: ReturnType<typeof openTaskQueue>
  readonly worker: ReturnType<typeof openWorker>
}

export interface PostgresConnectionOptions {
  readonly url: string
  readonly leaseMs: number
  /** Channels to listen to, and who hears a message. */
  readonly hear: Readonly<Record<string, () => void>>
  /** Told when it begins to listen: what was said meanwhile has not been heard. */
  readonly onListening: () => void
}

/**
 * BullMQ on a pool of connections of its driver, `pg`, with BullMQ's tables in the schema `bullmq`. The server may be
 * away at the start and at any time: calls then fail soon, and when it is back they succeed.
 */
export class PostgresConnection {
  readonly #options: PostgresConnectionOptions
  readonly #pool: Pool
  #bull: Promise<PostgresBull> | undefined
  #closed = false
  #stopListening = (): void => {}
  readonly #listening: Promise<void>

  constructor(options: PostgresConnectionOptions) {
    this.#options = options
    this.#pool = new Pool({
      connectionString: asLibpq(options.url),
      max: maxConnections,
      application_name: queueName,
      options: '-c search_path=bullmq',
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      query_timeout: callTimeoutMs,
      keepAlive: true,
    })
    // An idle connection that breaks is taken out by the pool; there is nobody to tell.
    this.#pool.on('error', () => {})
    this.#listening = this.#listen()
  }

  /** Resolves when BullMQ's tables are up to date, which the first call sees to. @throws QueueUnavailable */
  async ready(): Promise<void> {
    await this.use(async () => {})
  }

  /** @throws QueueUnavailable when the server cannot be reached, refuses or stays silent */
  async use<T>(work: (bull: PostgresBull) => Promise<T>): Promise<T> {
    if (this.#closed) throw new QueueUnavailable(retryAfterSeconds, { cause: 'the queue is closed' })
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error(`no answer in ${callTimeoutMs} ms`)), callTimeoutMs)
    try {
      return await Promise.race([this.#open().then(work), late])
    } catch (cause) {
      throw new QueueUnavailable(retryAfterSeconds, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopListening()
    const end = async (): Promise<void> => {
      await this.#listening
      const bull = await this.#bull?.catch(() => undefined)
      await Promise.all([bull?.worker.close(true), bull?.queue.close()])
      await this.#pool.end()
    }
    await Promise.race([end().catch(() => {}), Bun.sleep(closeMsMax)])
  }

  /** One opening for all calls; one that failed is begun again by the next call. */
  #open(): Promise<PostgresBull> {
    this.#bull ??= this.#make().catch((error) => {
      this.#bull = undefined
      throw error
    })
    return this.#bull
  }

  async #make(): Promise<PostgresBull> {
    // The driver's own types write the listeners of events in another way than BullMQ's, which mean the same pool.
    const pool = this.#pool as unknown as PgPool
    const client = await pool.connect()
    try {
      await runMigrations(client)
    } finally {
      client.release()
    }
    const queue = openTaskQueue(pool)
    const worker = openWorker(pool, this.#options.leaseMs)
    // Every call rejects with its own error as well.
    queue.on('error', () => {})
    worker.on('error', () => {})
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
    return { queue, worker }
  }

  /** Listens, and when the connection ends listens anew, until it is closed. */
  async #listen(): Promise<void> {
    while (!this.#closed) {
      await this.#listenOnce().catch(() => {})
      if (this.#closed) return
      await new Promise<void>((resolve) => {
        this.#stopListening = resolve
        setTimeout(resolve, listenRetryMs)
      })
    }
  }

  async #listenOnce(): Promise<void> {
    const client: PoolClient = await this.#pool.connect()
    try {
      const ended = new Promise<void>((resolve) => {
        this.#stopListening = resolve
        client.on('error', () => resolve())
        client.on('end', resolve)
      })
      const { hear, onListening } = this.#options
      client.on('notification', ({ channel }) => hear[channel]?.())
      for (const channel of Object.keys(hear)) await client.query(`listen ${channel}`)
      onListening()
      if (!this.#closed) await ended
    } finally {
      client.release(true)
    }
  }
}

/** The workers' own listening for jobs is left out: jobs are claimed by hand. */
const backend: typeof createPostgresBackend = (name, options) => createPostgresBackend(name, options)

function openTaskQueue(connection: PgPool) {
  return new Queue(queueName, { connection, skipMetasUpdate: true }, backend)
}

function openWorker(connection: PgPool, leaseMs: number) {
  return new Worker(
    queueName,
    null,
    {
      connection,
      autorun: false,
      lockDuration: leaseMs,
      stalledInterval: stalledIntervalMs(leaseMs),
      maxStalledCount: maxStalledCount,
    },
    backend,
  )
}

/** `sslmode` as libpq, and the pool of the documents, understand it; this driver alone would take `require` for more. */
function asLibpq(url: string): string {
  const parsed = new URL(url)
  if (parsed.searchParams.has('sslmode')) parsed.searchParams.set('uselibpqcompat', 'true')
  return parsed.href
}
