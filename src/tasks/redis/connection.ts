import { RedisClient } from 'bun'
import { withTimeout } from '../../lifecycle/timeout.ts'
import { QueueUnavailable } from '../task-queue.ts'
import type { Script } from './scripts.ts'

/** How long opening a connection may take, in ms. */
const connectTimeoutMs = 1_000
/** How often to look whether the server still answers, in ms, and after how many silent looks it counts as unreachable. */
const silenceIntervalMs = 250
const maxSilentLooks = 8
/** The wait before the next try to connect, in ms. */
const reconnectMs = 250
/** How soon a client may try again. */
const retryAfterSeconds = 1

export interface RedisConnectionOptions {
  readonly url: string
  /** The listener of each channel. */
  readonly subscriptions: Readonly<Record<string, (message: string) => void>>
  /** Called when a connection is there: messages before that were missed. */
  readonly onConnected: () => void
}

/** One connection to the server, and the calls that it has not answered. */
interface Session {
  readonly client: RedisClient
  readonly end: () => void
  unanswered: number
  answers: number
}

/**
 * A connection to Redis that exists whether or not the server does. While the server is unreachable, calls fail at once;
 * when it is back, they succeed without a restart.
 *
 * The reconnection of Bun's client is not used, because it gives up for good after a while or queues calls without an
 * answer. Here a client is discarded when its connection ends, and another one is created.
 */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  #session: Session | undefined
  #closed = false
  readonly #reconnecting: Promise<void>
  #endAttempt = (): void => {}

  constructor(options: RedisConnectionOptions) {
    this.#options = options
    this.#reconnecting = this.#reconnect()
  }

  /**
   * Sends a command.
   *
   * @throws QueueUnavailable when there is no connection, when it breaks, or when the server refuses or stays silent
   */
  async send(command: string, args: readonly string[]): Promise<unknown> {
    return await this.#call((client) => client.send(command, args as string[]))
  }

  /** Runs a script. @throws QueueUnavailable as `send` does */
  async run({ sha1, source }: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [`${keys.length}`, ...keys, ...args]
    return await this.#call((client) =>
      client.send('EVALSHA', [sha1, ...rest]).catch((error) => {
        if (!String(error).includes('NOSCRIPT')) throw error
        return client.send('EVAL', [source, ...rest])
      }),
    )
  }

  /** Resolves when there is a connection, or after `timeoutMs`. */
  async connected(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (this.#session === undefined && performance.now() < deadline) await Bun.sleep(5)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#endAttempt()
    await this.#reconnecting
  }

  async #call(work: (client: RedisClient) => Promise<unknown>): Promise<unknown> {
    const session = this.#session
    if (session === undefined || this.#closed)
      throw new QueueUnavailable(retryAfterSeconds, { cause: 'no connection to Redis' })
    session.unanswered++
    try {
      return await work(session.client)
    } catch (cause) {
      throw new QueueUnavailable(retryAfterSeconds, { cause })
    } finally {
      session.unanswered--
      session.answers++
    }
  }

  /** Connects, and connects again when the connection ends, until it is closed. */
  async #reconnect(): Promise<void> {
    while (!this.#closed) {
      await this.#runSession().catch(() => {})
      if (this.#closed) return
      await new Promise<void>((resolve) => {
        this.#endAttempt = resolve
        setTimeout(resolve, reconnectMs)
      })
    }
  }

  /** Runs one session: from opening its connections until the first of them ends. */
  async #runSession(): Promise<void> {
    const ended = Promise.withResolvers<void>()
    this.#endAttempt = ended.resolve
    const clients: RedisClient[] = []
    const open = async (): Promise<RedisClient> => {
      const client = new RedisClient(this.#options.url, {
        autoReconnect: false,
        enableOfflineQueue: false,
        connectionTimeout: connectTimeoutMs,
      })
      clients.push(client)
      client.onclose = () => ended.resolve()
      await withTimeout(client.connect(), connectTimeoutMs)
      // A server accepts connections while it still loads its files.
      await withTimeout(client.send('PING', []), connectTimeoutMs)
      return client
    }
    let watch: ReturnType<typeof setInterval> | undefined
    try {
      const client = await open()
      const subscriber = await open()
      for (const [channel, listener] of Object.entries(this.#options.subscriptions))
        await withTimeout(subscriber.subscribe(channel, listener), connectTimeoutMs)
      const session: Session = { client, end: ended.resolve, unanswered: 0, answers: 0 }
      watch = endWhenSilent(session)
      this.#session = session
      this.#options.onConnected()
      await ended.promise
    } finally {
      this.#session = undefined
      clearInterval(watch)
      // Calls in flight fail.
      for (const client of clients) {
        client.onclose = null
        client.close()
      }
    }
  }
}

/** Ends a session whose server stays silent. Looks are counted, so that a process that was suspended waits again. */
function endWhenSilent(session: Session): ReturnType<typeof setInterval> {
  let answers = 0
  let silentLooks = 0
  const watch = setInterval(() => {
    silentLooks = session.unanswered > 0 && session.answers === answers ? silentLooks + 1 : 0
    answers = session.answers
    if (silentLooks >= maxSilentLooks) session.end()
  }, silenceIntervalMs)
  watch.unref()
  return watch
}
