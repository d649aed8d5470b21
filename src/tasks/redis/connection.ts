import { createBunRedisClient, Queue, Worker } from 'bullmq'
import { RedisClient } from 'bun'
import { TimeoutError, withTimeout } from '../../lifecycle/timeout.ts'
import { maxStalledCount, queueName, stalledIntervalMs } from '../bullmq/backend.ts'
import { QueueUnavailable } from '../task-queue.ts'

/** How long opening a connection may take, in ms. */
const connectTimeoutMs = 1_000
/** How long a call may take before the server counts as unreachable, in ms. */
const callTimeoutMs = 2_000
/** The wait before the next try to connect, in ms. */
const reconnectMs = 250
/** How soon a client may try again. */
const retryAfterSeconds = 1

/** Everything that belongs to one connection to the server. All of it is discarded when the connection ends. */
export interface Session {
  readonly client: RedisClient
  readonly queue: Queue
  /** Never runs a job by itself: jobs are claimed one by one. */
  readonly worker: Worker
}

export interface RedisConnectionOptions {
  readonly url: string
  readonly leaseMs: number
  /** The listener of each channel. */
  readonly subscriptions: Readonly<Record<string, (message: string) => void>>
  /** Called when a session begins: messages before that were missed. */
  readonly onConnected: () => void
}

/**
 * A connection to Redis that exists whether or not the server does. While the server is unreachable, calls fail at once;
 * when it is back, they succeed without a restart.
 *
 * The reconnection of the clients is not used: Bun's client gives up for good after a while or queues calls without an
 * answer, and BullMQ's wrapper waits long between two tries. Here everything that belongs to a connection is discarded
 * when the connection ends, and created again.
 */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  #session: Session | undefined
  #endSession: (() => void) | undefined
  #closed = false
  readonly #reconnecting: Promise<void>
  #stopWaiting = (): void => {}

  constructor(options: RedisConnectionOptions) {
    this.#options = options
    this.#reconnecting = this.#reconnect()
  }

  /**
   * Runs `work` on the current connection.
   *
   * @throws QueueUnavailable when there is none, when it breaks, or when the server refuses or stays silent
   */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = this.#session
    if (session === undefined || this.#closed)
      throw new QueueUnavailable(retryAfterSeconds, { cause: 'no connection to Redis' })
    try {
      const result = await withTimeout(work(session), callTimeoutMs)
      // BullMQ's client answers calls in flight with null when its connection closes, as if they had succeeded.
      if (this.#session !== session) throw new Error('the connection ended before the answer')
      return result
    } catch (cause) {
      if (cause instanceof TimeoutError && this.#session === session) this.#endSession?.()
      throw new QueueUnavailable(retryAfterSeconds, { cause })
    }
  }

  /** Resolves when there is a connection, or after `timeoutMs`. */
  async connected(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (this.#session === undefined && performance.now() < deadline) await Bun.sleep(5)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#endSession?.()
    this.#stopWaiting()
    await this.#reconnecting
  }

  /** Connects, and connects again when the connection ends, until it is closed. */
  async #reconnect(): Promise<void> {
    while (!this.#closed) {
      await this.#runSession().catch(() => {})
      if (this.#closed) return
      await new Promise<void>((resolve) => {
        this.#stopWaiting = resolve
        setTimeout(resolve, reconnectMs)
      })
    }
  }

  /** Runs one session: from opening its connections until the first of them ends. */
  async #runSession(): Promise<void> {
    const ended = Promise.withResolvers<void>()
    const end = (): void => {
      this.#session = undefined
      ended.resolve()
    }
    this.#endSession = end
    const opened: { close(): void }[] = []
    const open = async (): Promise<RedisClient> => {
      const client = new RedisClient(this.#options.url, {
        autoReconnect: false,
        enableOfflineQueue: false,
        connectionTimeout: connectTimeoutMs,
      })
      opened.push(client)
      client.onclose = end
      await withTimeout(client.connect(), connectTimeoutMs)
      // A server accepts connections while it still loads its files.
      await withTimeout(client.send('PING', []), connectTimeoutMs)
      return client
    }
    try {
      const client = await open()
      const subscriber = await open()
      for (const [channel, listener] of Object.entries(this.#options.subscriptions))
        await withTimeout(subscriber.subscribe(channel, listener), connectTimeoutMs)
      const { session, close } = this.#createBullmq(client, end)
      opened.push({ close })
      this.#session = session
      this.#options.onConnected()
      await ended.promise
    } finally {
      this.#session = undefined
      this.#endSession = undefined
      for (const each of opened.reverse()) {
        if (each instanceof RedisClient) each.onclose = null
        each.close()
      }
    }
  }

  /** @param onEnd called when a connection of BullMQ ends; BullMQ replaces the client's own `onclose` */
  #createBullmq(client: RedisClient, onEnd: () => void): { session: Session; close: () => void } {
    const { leaseMs } = this.#options
    const connection = createBunRedisClient(client)
    const connections = [connection]
    const duplicate = connection.duplicate.bind(connection)
    connection.duplicate = (...options) => {
      const another = duplicate(...options)
      connections.push(another)
      another.on('error', onEnd)
      return another
    }
    connection.on('close', onEnd)
    connection.on('error', onEnd)
    const queue = new Queue(queueName, { connection, skipMetasUpdate: true })
    const worker = new Worker(queueName, null, {
      connection,
      autorun: false,
      lockDuration: leaseMs,
      stalledInterval: stalledIntervalMs(leaseMs),
      maxStalledCount: maxStalledCount,
    })
    queue.on('error', onEnd)
    worker.on('error', onEnd)
    const close = (): void => {
      // Not awaited: on a dead connection these promises never settle.
      void worker.close(true).catch(() => {})
      void queue.close().catch(() => {})
      for (const each of connections) each.disconnect()
    }
    return { session: { client, queue, worker }, close }
  }
}
