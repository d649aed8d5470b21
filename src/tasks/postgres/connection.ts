import { createPostgresBackend, type PgPool, Queue, runMigrations, Worker } from 'bullmq'
import { Pool, type PoolClient } from 'pg'
import { withTimeout } from '../../lifecycle/timeout.ts'
import { maxStalledCount, queueName, stalledIntervalMs } from '../bullmq/backend.ts'
import { QueueUnavailable } from '../task-queue.ts'

/** Connections for BullMQ's statements, and one more that only listens. */
const maxConnections = 6
/** How long a connection, a statement on the server, and a whole call may take, in ms. */
const connectTimeoutMs = 1_500
const statementTimeoutMs = 3_000
const callTimeoutMs = 4_000
/** The wait before the next try to listen, in ms. */
const listenRetryMs = 250
/** How long closing waits for calls in flight, in ms. */
const closeTimeoutMs = 2_000
/** How soon a client may try again. */
const retryAfterSeconds = 1

/** BullMQ's queue and worker in PostgreSQL. */
export interface PostgresClient {
  readonly queue: ReturnType<typeof createQueue>
  readonly worker: ReturnType<typeof createWorker>
}

export interface PostgresConnectionOptions {
  readonly url: string
  readonly leaseMs: number
  /** The listener of each channel. */
  readonly subscriptions: Readonly<Record<string, () => void>>
  /** Called when it begins to listen: messages before that were missed. */
  readonly onListening: () => void
}

/**
 * BullMQ on a pool of its driver, `pg`, with BullMQ's tables in the schema `bullmq`. The server may be unreachable at the
 * start and at any time: calls then fail soon, and when it is back they succeed.
 */
export class PostgresConnection {
  readonly #options: PostgresConnectionOptions
  readonly #pool: Pool
  #client: Promise<PostgresClient> | undefined
  #closed = false
  #stopListening = (): void => {}
  readonly #listening: Promise<void>

  constructor(options: PostgresConnectionOptions) {
    this.#options = options
    this.#pool = new Pool({
      connectionString: withLibpqSslMode(options.url),
      max: maxConnections,
      application_name: queueName,
      options: '-c search_path=bullmq',
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      query_timeout: callTimeoutMs,
      keepAlive: true,
    })
    // The pool removes an idle connection that breaks. No call is affected.
    this.#pool.on('error', () => {})
    this.#listening = this.#listen()
  }

  /**
   * Resolves when BullMQ's tables are up to date. The first call migrates them.
   *
   * @throws QueueUnavailable
   */
  async ready(): Promise<void> {
    await this.use(async () => {})
  }

  /** @throws QueueUnavailable when the server cannot be reached, refuses or stays silent */
  async use<T>(work: (client: PostgresClient) => Promise<T>): Promise<T> {
    if (this.#closed) throw new QueueUnavailable(retryAfterSeconds, { cause: 'the queue is closed' })
    try {
      return await withTimeout(this.#open().then(work), callTimeoutMs)
    } catch (cause) {
      throw new QueueUnavailable(retryAfterSeconds, { cause })
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopListening()
    const end = async (): Promise<void> => {
      await this.#listening
      const client = await this.#client?.catch(() => undefined)
      await Promise.all([client?.worker.close(true), client?.queue.close()])
      await this.#pool.end()
    }
    await withTimeout(end(), closeTimeoutMs).catch(() => {})
  }

  /** All calls share one opening. When it fails, the next call begins a new one. */
  #open(): Promise<PostgresClient> {
    this.#client ??= this.#createClient().catch((error) => {
      this.#client = undefined
      throw error
    })
    return this.#client
  }

  async #createClient(): Promise<PostgresClient> {
    // BullMQ's type of the same pool declares the event listeners differently.
    const pool = this.#pool as unknown as PgPool
    const connection = await pool.connect()
    try {
      await runMigrations(connection)
    } finally {
      connection.release()
    }
    const queue = createQueue(pool)
    const worker = createWorker(pool, this.#options.leaseMs)
    // Every call also rejects with its own error.
    queue.on('error', () => {})
    worker.on('error', () => {})
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
    return { queue, worker }
  }

  /** Listens, and listens again when the connection ends, until it is closed. */
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
      const { subscriptions, onListening } = this.#options
      client.on('notification', ({ channel }) => subscriptions[channel]?.())
      for (const channel of Object.keys(subscriptions)) await client.query(`listen ${channel}`)
      onListening()
      if (!this.#closed) await ended
    } finally {
      client.release(true)
    }
  }
}

/** Without the workers' own listening for jobs, because jobs are claimed one by one. */
const createBackend: typeof createPostgresBackend = (name, options) => createPostgresBackend(name, options)

function createQueue(connection: PgPool) {
  return new Queue(queueName, { connection, skipMetasUpdate: true }, createBackend)
}

function createWorker(connection: PgPool, leaseMs: number) {
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
    createBackend,
  )
}

/** Makes `sslmode` mean what it means to libpq and to the pool of the documents: this driver checks more for `require`. */
function withLibpqSslMode(url: string): string {
  const parsed = new URL(url)
  if (parsed.searchParams.has('sslmode')) parsed.searchParams.set('uselibpqcompat', 'true')
  return parsed.href
}
