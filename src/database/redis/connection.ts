import { RedisClient } from 'bun'
import { TimeoutError, withTimeout } from '../../lifecycle/timeout.ts'
import { DatabaseUnavailable } from '../errors.ts'
import { explainConnectFailure } from './explain-connect-failure.ts'
import type { Script } from './script.ts'
import { type Needs, writeCheck } from './write-check.ts'

/** How long opening a connection may take, in ms. */
const connectTimeoutMs = 1_000
/** How often to ping the server, in ms, and after how many unanswered pings it counts as unreachable. */
const silenceIntervalMs = 250
const maxSilentLooks = 8
/** The delay before the next attempt to connect, in ms. */
const reconnectMs = 250
/** How often a session checks that its server is still writable, in ms: a process may only read for a long time. */
const checkIntervalMs = 5_000

/**
 * Errors of a server that refuses all commands of this connection, or all of its writes, permanently. After a failover
 * the host name may resolve to another server, but an open connection stays with this one.
 */
const uselessServer = /^(READONLY|LOADING|NOAUTH|WRONGPASS|MASTERDOWN|CLUSTERDOWN|MOVED|UNKILLABLE)\b/
/** In cluster mode a replica answers with the address of the server that has the keys. */
const movedTo = /^MOVED \d+ (.+):(\d+)$/
/** Errors of the right server, which refuses writes for a while. Reads continue; a new connection would not help. */
const refusedForNow = /^(OOM|MISCONF|NOREPLICAS|BUSY)\b/

export interface RedisConnectionOptions {
  readonly url: string
  /** The commands and keys that the scripts of this connection need. */
  readonly needs: Needs
  /** The listener of each channel. Default: none, and no connection that listens. */
  readonly subscriptions?: Readonly<Record<string, (message: string) => void>>
  /** Called when a connection is established: earlier messages were missed. */
  readonly onConnected?: () => void
}

/** One connection to the server, and the calls that it has not answered. */
interface Session {
  readonly client: RedisClient
  /** What the server calls a key. */
  readonly nameKey: (key: string) => string
  readonly writeCheck: readonly string[]
  readonly end: (reason: unknown) => void
  unanswered: number
  answers: number
}

/**
 * A connection to Redis that exists whether or not the server does. While the server is unreachable, calls fail at once;
 * when it is back, they succeed without a restart. A connection to a server that can no longer be used, such as one that
 * has become a replica, is replaced.
 *
 * On a server in cluster mode all keys get one slot, so scripts can use them together, and a connection that reached a
 * replica is replaced by one to the server that the replica names. All data is on one shard then.
 *
 * Bun's own reconnection is not used: it either stops retrying permanently or queues calls without an answer. Here a
 * client is discarded when its connection ends, and another one is created.
 */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  #session: Session | undefined
  /** Why there is no session. */
  #failure: unknown = 'it was not asked yet'
  /** The server that a replica has named, for the next attempt. */
  #named: string | undefined
  #closed = false
  readonly #reconnecting: Promise<void>
  #endAttempt: (reason?: unknown) => void = () => {}

  constructor(options: RedisConnectionOptions) {
    this.#options = options
    this.#reconnecting = this.#reconnect()
  }

  /**
   * Sends a command without a key.
   *
   * @throws DatabaseUnavailable when there is no connection, when it breaks, or when the server refuses or stays silent
   */
  async send(command: string, args: readonly string[]): Promise<unknown> {
    return await this.#call(({ client }) => client.send(command, args as string[]))
  }

  /** Sends a command whose first argument is a key. @throws DatabaseUnavailable as `send` does */
  async sendWithKey(command: string, key: string, args: readonly string[]): Promise<unknown> {
    return await this.#call(({ client, nameKey }) => client.send(command, [nameKey(key), ...args]))
  }

  /** Runs a script. @throws DatabaseUnavailable as `send` does */
  async run({ sha1, source }: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return await this.#call(({ client, nameKey }) => {
      const rest = [`${keys.length}`, ...keys.map(nameKey), ...args]
      return client.send('EVALSHA', [sha1, ...rest]).catch((error) => {
        if (!String(error).includes('NOSCRIPT')) throw error
        return client.send('EVAL', [source, ...rest])
      })
    })
  }

  /**
   * Resolves when the server would run the scripts of this connection. Writes nothing.
   *
   * @throws DatabaseUnavailable when it is a replica, is full, or does not let this user run the commands
   */
  async assertWritable(): Promise<void> {
    const session = this.#session
    try {
      await this.#call(({ client, writeCheck: check }) => client.send('EVAL', check as string[]))
    } catch (error) {
      const { cause } = error as DatabaseUnavailable
      // Without one of its commands a script would stop halfway. The next session checks them before it begins.
      if (!isRefusedForNow(cause)) session?.end(cause)
      throw error
    }
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

  async #call(work: (session: Session) => Promise<unknown>): Promise<unknown> {
    const session = this.#session
    if (this.#closed) throw new DatabaseUnavailable('closed', 'the connection to Redis is closed')
    if (session === undefined)
      throw new DatabaseUnavailable('unreachable', 'no connection to Redis', { cause: this.#failure })
    session.unanswered++
    try {
      return await work(session)
    } catch (cause) {
      if (uselessServer.test(messageOf(cause))) session.end(cause)
      throw unavailable(cause)
    } finally {
      session.unanswered--
      session.answers++
    }
  }

  /** Connects, and connects again when the connection ends, until it is closed. */
  async #reconnect(): Promise<void> {
    while (!this.#closed) {
      await this.#runSession().then(
        (reason) => {
          this.#failure = reason
        },
        (error) => {
          this.#failure = error
        },
      )
      this.#named = nameServer(this.#options.url, this.#failure)
      if (this.#closed) return
      await new Promise<void>((resolve) => {
        this.#endAttempt = () => resolve()
        setTimeout(resolve, reconnectMs)
      })
    }
  }

  /**
   * Runs one session: from opening its connections until the first of them ends.
   *
   * @returns why it ended
   * @throws why it could not begin
   */
  async #runSession(): Promise<unknown> {
    const ended = Promise.withResolvers<unknown>()
    this.#endAttempt = ended.resolve
    const { needs, subscriptions = {}, onConnected } = this.#options
    const url = this.#named ?? this.#options.url
    const clients: RedisClient[] = []
    const open = async (): Promise<RedisClient> => {
      const client = new RedisClient(url, {
        autoReconnect: false,
        enableOfflineQueue: false,
        connectionTimeout: connectTimeoutMs,
      })
      clients.push(client)
      client.onclose = (error) => ended.resolve(error)
      await withTimeout(client.connect(), connectTimeoutMs).catch(async (error) => {
        throw (await explainConnectFailure(url, connectTimeoutMs)) ?? error
      })
      return client
    }
    const watches: ReturnType<typeof setInterval>[] = []
    try {
      const client = await open()
      const prepared = await prepare(client, needs)
      const channels = Object.entries(subscriptions)
      const subscriber = channels.length === 0 ? undefined : await open()
      for (const [channel, listener] of channels)
        await withTimeout(
          (subscriber as RedisClient).subscribe(channel, listener) as Promise<unknown>,
          connectTimeoutMs,
        )
      const session: Session = {
        client,
        ...prepared,
        end: ended.resolve,
        unanswered: 0,
        answers: 0,
      }
      this.#session = session
      watches.push(endWhenSilent(session), this.#checkRegularly())
      onConnected?.()
      return await ended.promise
    } finally {
      this.#session = undefined
      for (const watch of watches) clearInterval(watch)
      // Calls in flight fail.
      for (const client of clients) {
        client.onclose = null
        client.close()
      }
    }
  }

  /** Ends the session when its server has become useless. */
  #checkRegularly(): ReturnType<typeof setInterval> {
    const watch = setInterval(() => void this.assertWritable().catch(() => {}), checkIntervalMs)
    watch.unref()
    return watch
  }
}

/**
 * Makes sure that a server can be used, and finds out what it calls the keys. Both are asked at once, because a start waits
 * for the answers; only a server in cluster mode is asked again.
 *
 * @throws Error when it cannot be used
 */
async function prepare(client: RedisClient, needs: Needs): Promise<Pick<Session, 'nameKey' | 'writeCheck'>> {
  const plain = writeCheck(needs)
  const [mode, usable] = await Promise.allSettled([readMode(client), assertUsable(client, plain)])
  if (mode.status === 'fulfilled' && mode.value === 'cluster') {
    const check = writeCheck({ ...needs, keys: needs.keys.map(nameInOneSlot) })
    await assertUsable(client, check)
    return { nameKey: nameInOneSlot, writeCheck: check }
  }
  if (usable.status === 'rejected') throw usable.reason
  return { nameKey: (key) => key, writeCheck: plain }
}

async function readMode(client: RedisClient): Promise<string | undefined> {
  const hello = await withTimeout(client.send('HELLO', []), connectTimeoutMs)
  return (hello as { readonly mode?: string }).mode
}

/** A server accepts connections while it still loads its files, and after it has become a replica. */
async function assertUsable(client: RedisClient, check: readonly string[]): Promise<void> {
  try {
    await withTimeout(client.send('EVAL', check as string[]), connectTimeoutMs)
  } catch (error) {
    if (!isRefusedForNow(error)) throw error
  }
}

/** In cluster mode the text in braces decides the slot of a key. */
const nameInOneSlot = (key: string): string => key.replace('tally', '{tally}')

/**
 * The URL of the server that a replica has named. It may be an address that the certificate does not have: the attempt
 * after the next one uses the configured name again.
 */
function nameServer(url: string, failure: unknown): string | undefined {
  const [, hostname, port] = movedTo.exec(messageOf(failure)) ?? []
  if (hostname === undefined || port === undefined) return undefined
  const named = new URL(url)
  named.hostname = hostname.includes(':') ? `[${hostname}]` : hostname
  named.port = port
  return named.href
}

/** Ends a session whose server stays silent. Counts pings instead of time, so that a suspended process waits again. */
function endWhenSilent(session: Session): ReturnType<typeof setInterval> {
  let answers = 0
  let silentLooks = 0
  const watch = setInterval(() => {
    silentLooks = session.unanswered > 0 && session.answers === answers ? silentLooks + 1 : 0
    answers = session.answers
    if (silentLooks >= maxSilentLooks) session.end(new TimeoutError(silenceIntervalMs * maxSilentLooks))
  }, silenceIntervalMs)
  watch.unref()
  return watch
}

function unavailable(cause: unknown): DatabaseUnavailable {
  const message = messageOf(cause)
  if (isRefusedForNow(cause)) return new DatabaseUnavailable('full', `Redis: ${message}`, { cause })
  const isReply = /^[A-Z]+ /.test(message)
  return new DatabaseUnavailable(isReply ? 'refused' : 'unreachable', `Redis: ${message}`, { cause })
}

const isRefusedForNow = (error: unknown): boolean => refusedForNow.test(messageOf(error))

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
