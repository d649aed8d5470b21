import { createBunRedisClient, Queue, Worker } from 'bullmq'
import { RedisClient } from 'bun'
import { maxStalledCount, queueName, stalledIntervalMs } from '../bullmq/backend.ts'
import { QueueUnavailable } from '../task-queue.ts'

/** How long a connection may take, in ms. */
const connectTimeoutMs = 1_000
/** How long a call may take before the server counts as hung, in ms. */
const callTimeoutMs = 2_000
/** How long to wait before the next try to connect, in ms. */
const retryMs = 250
/** What a client is told to wait, in seconds. */
const retryAfterSeconds = 1

/** Everything that hangs on one connection to the server. It is thrown away as a whole when the connection ends. */
export interface Session {
  readonly client: RedisClient
  readonly queue: Queue
  /** Never runs a job by itself: jobs are claimed by hand, one by one. */
  readonly worker: Worker
}

export interface RedisConnectionOptions {
  readonly url: string
  readonly leaseMs: number
  /** Channels to listen to, and who hears a message. */
  readonly hear: Readonly<Record<string, (message: string) => void>>
  /** Told when a session begins: what was said meanwhile has not been heard. */
  readonly onConnected: () => void
}

/**
 * A connection to Redis that is always there, also when the server is not: calls then fail at once, and when it is back
 * they succeed, without a restart.
 *
 * The clients' own reconnecting is not used. Bun's client gives up for good after a while or queues calls without an
 * answer, and BullMQ's wrapper waits up to 20 s between two tries. Here a connection that ends takes everything with it
 * that hangs on it, and all of that is made anew.
 */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  #session: Session | undefined
  #end: (() => void) | undefined
  #closed = false
  readonly #kept: Promise<void>
  #wake = (): void => {}

  constructor(options: RedisConnectionOptions) {
    this.#options = options
    this.#kept = this.#keep()
  }

  /**
   * Runs `work` on the connection there is.
   *
   * @throws QueueUnavailable when there is none, when it breaks, when the server refuses or stays silent
   */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = this.#session
    if (session === undefined || this.#closed)
      throw new QueueUnavailable(retryAfterSeconds, { cause: 'no connection to Redis' })
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      reject(new Error(`no answer in ${callTimeoutMs} ms`))
      if (this.#session === session) this.#end?.()
    }, callTimeoutMs)
    try {
      const result = await Promise.race([work(session), late])
      // BullMQ's client answers what was in flight when its connection closed with null, as if it had been carried out.
      if (this.#session !== session) throw new Error('the connection ended before the answer')
      return result
    } catch (cause) {
      throw new QueueUnavailable(retryAfterSeconds, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves when there is a connection, or after `ms`. */
  async connected(ms: number): Promise<void> {
    const deadline = performance.now() + ms
    while (this.#session === undefined && performance.now() < deadline) await Bun.sleep(5)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#end?.()
    this.#wake()
    await this.#kept
  }

  /** Connects, and when the connection ends connects again, until it is closed. */
  async #keep(): Promise<void> {
    while (!this.#closed) {
      await this.#live().catch(() => {})
      if (this.#closed) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        setTimeout(resolve, retryMs)
      })
    }
  }

  /** One session, from its connections to the end of the first of them. */
  async #live(): Promise<void> {
    const ended = Promise.withResolvers<void>()
    const end = (): void => {
      this.#session = undefined
      ended.resolve()
    }
    this.#end = end
    const opened: { close(): void }[] = []
    const open = async (): Promise<RedisClient> => {
      const client = new RedisClient(this.#options.url, {
        autoReconnect: false,
        enableOfflineQueue: false,
        connectionTimeout: connectTimeoutMs,
      })
      opened.push(client)
      client.onclose = end
      await within(connectTimeoutMs, client.connect())
      // A server that still loads its files accepts connections already.
      await within(connectTimeoutMs, client.send('PING', []))
      return client
    }
    try {
      const client = await open()
      const subscriber = await open()
      for (const [channel, hear] of Object.entries(this.#options.hear))
        await within(connectTimeoutMs, subscriber.subscribe(channel, hear))
      const { session, close } = this.#build(client, end)
      opened.push({ close })
      this.#session = session
      this.#options.onConnected()
      await ended.promise
    } finally {
      this.#session = undefined
      this.#end = undefined
      for (const each of opened.reverse()) {
        if (each instanceof RedisClient) each.onclose = null
        each.close()
      }
    }
  }

  /** @param ended called when a connection of BullMQ's ends; it takes the client's own `onclose` for itself */
  #build(client: RedisClient, ended: () => void): { session: Session; close: () => void } {
    const { leaseMs } = this.#options
    const connection = createBunRedisClient(client)
    const connections = [connection]
    const duplicate = connection.duplicate.bind(connection)
    connection.duplicate = (...options) => {
      const another = duplicate(...options)
      connections.push(another)
      another.on('error', ended)
      return another
    }
    connection.on('close', ended)
    connection.on('error', ended)
    const queue = new Queue(queueName, { connection, skipMetasUpdate: true })
    const worker = new Worker(queueName, null, {
      connection,
      autorun: false,
      lockDuration: leaseMs,
      stalledInterval: stalledIntervalMs(leaseMs),
      maxStalledCount: maxStalledCount,
    })
    queue.on('error', ended)
    worker.on('error', ended)
    const close = (): void => {
      // None of them may hold up what comes next: on a dead connection their ends do not come.
      void worker.close(true).catch(() => {})
      void queue.close().catch(() => {})
      for (const each of connections) each.disconnect()
    }
    return { session: { client, queue, worker }, close }
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer in ${ms} ms`)), ms)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
