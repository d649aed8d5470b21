import type { SQL } from 'bun'
import { TimeoutError, withTimeout } from '../../lifecycle/timeout.ts'
import { ConnectionLost, DatabaseIncompatible, DatabaseUnavailable } from '../errors.ts'
import { migratePostgres, migrationTimeoutMs, postgresIsUpToDate, postgresMigrations } from '../migrations.ts'
import {
  errorCode,
  postgresUnavailable,
  readOnlyState,
  sqlState,
  undefinedTableState,
} from './explain-error.ts'
import { Semaphore } from './semaphore.ts'

export interface PostgresPoolOptions {
  /** Connections of this process. Several instances share the server's `max_connections` (100 by default). */
  maxConnections?: number
  /** How long opening a connection may take. */
  connectTimeoutMs?: number
  /** How long one statement may run; enforced by the server. */
  statementTimeoutMs?: number
  /** How long one call may take before its connection counts as dead. Longer than `statementTimeoutMs`. */
  callTimeoutMs?: number
  /** The steps to the newest schema. Only tests pass their own. */
  migrations?: readonly string[]
}

/** Calls that may wait for a connection, and for how long. Calls beyond that are refused. */
export const maxWaitingCalls = 1_000
const waitTimeoutMs = 2_000
/** After a timeout, calls fail at once for this long instead of waiting for the server one by one. */
const unreachableMs = 1_000
/** The wait before the next try to listen, in ms. */
const listenRetryMs = 500
/** How long `close` waits for earlier calls, and then for their connections to be closed. */
const closeTimeoutMs = 2_000

/** Someone who listens to a channel (LISTEN). */
interface Listener {
  readonly channel: string
  readonly onNotification: (payload: string) => void
  readonly onListening: () => void
}

/**
 * A connection pool that exists whether or not the server does. Every failure to reach the server is
 * DatabaseUnavailable: at once when the connection is refused, after `connectTimeoutMs` or `callTimeoutMs` when nothing
 * answers. When the server is back, the next call succeeds without a restart.
 */
export class PostgresPool {
  readonly #url: string
  readonly #options: Required<PostgresPoolOptions>
  readonly #semaphore: Semaphore
  readonly #listeners: Listener[] = []
  #sql: SQL
  #migrated: Promise<void> | undefined
  #unreachableUntil = 0
  #closed: Promise<void> | undefined

  /** @throws DatabaseIncompatible when the URL is invalid; the message does not repeat it, because it has a password */
  constructor(url: string, options: PostgresPoolOptions = {}) {
    this.#url = url
    this.#options = {
      maxConnections: 10,
      connectTimeoutMs: 1_500,
      statementTimeoutMs: 3_000,
      callTimeoutMs: 4_000,
      migrations: postgresMigrations,
      ...options,
    }
    this.#semaphore = new Semaphore(this.#options.maxConnections, maxWaitingCalls, waitTimeoutMs)
    this.#sql = this.#connect()
  }

  /**
   * Runs `work` on the pool, with its own time limit.
   *
   * @param repeatable whether `work` may run a second time when its connection broke and the first outcome is unknown:
   *   true for reads, and for a write that recognizes its own first attempt
   * @throws what `work` threw (an error of SQL or of the domain), or DatabaseUnavailable
   */
  async run<T>(work: (sql: SQL) => Promise<T>, repeatable: boolean): Promise<T> {
    if (this.#closed) throw new DatabaseUnavailable('closed', 'the database is closed')
    return await this.#semaphore.run(async () => {
      try {
        return await this.#runOnce(work)
      } catch (error) {
        if (repeatable && error instanceof ConnectionLost) return await this.#runOnce(work)
        throw error
      }
    })
  }

  /**
   * Listens to a channel (LISTEN) until the pool is closed, on a connection of its own. While the server is unavailable
   * it tries again and again.
   *
   * @param onListening called whenever it begins to listen: notifications before that were missed
   */
  listen(channel: string, onNotification: (payload: string) => void, onListening: () => void): void {
    const listener = { channel, onNotification, onListening }
    this.#listeners.push(listener)
    void this.#listen(listener, this.#sql)
  }

  /** Resolves when the server answers and the schema is up to date. */
  async ping(): Promise<void> {
    await this.run(async (sql) => {
      await sql`select 1`
    }, true)
  }

  /** Accepts no more calls, waits a moment for earlier ones, then disconnects. A second call returns the same promise. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    // The second line aborts calls that do not finish in time. Their own callers receive the error.
    await withTimeout(this.#semaphore.idle(), closeTimeoutMs).catch(() => {})
    await withTimeout(this.#sql.close({ timeout: 0 }), closeTimeoutMs).catch(() => {})
  }

  /** The runtime listens again by itself when an established connection breaks. */
  async #listen({ channel, onNotification, onListening }: Listener, sql: SQL): Promise<void> {
    while (this.#sql === sql && !this.#closed) {
      try {
        await sql.listen(channel, onNotification, onListening)
        return
      } catch {
        const { promise, resolve } = Promise.withResolvers<void>()
        setTimeout(resolve, listenRetryMs).unref()
        await promise
      }
    }
  }

  async #runOnce<T>(work: (sql: SQL) => Promise<T>): Promise<T> {
    if (performance.now() < this.#unreachableUntil) {
      throw new DatabaseUnavailable('unreachable', 'the database did not answer a moment ago')
    }
    const sql = this.#sql
    try {
      await this.#assertMigrated(sql)
      return await withTimeout(work(sql), this.#options.callTimeoutMs)
    } catch (error) {
      throw this.#explain(error, sql)
    }
  }

  /** All calls share one migration. When it fails, the next call begins a new one. */
  async #assertMigrated(sql: SQL): Promise<void> {
    this.#migrated ??= this.#migrate(sql).catch((error) => {
      this.#migrated = undefined
      throw error
    })
    await withTimeout(this.#migrated, this.#options.callTimeoutMs, () => {
      throw new DatabaseUnavailable('busy', 'the database is being migrated')
    })
  }

  async #migrate(sql: SQL): Promise<void> {
    const { callTimeoutMs, migrations } = this.#options
    if (await withTimeout(postgresIsUpToDate(sql, migrations), callTimeoutMs)) return
    await withTimeout(migratePostgres(sql, migrations), migrationTimeoutMs)
  }

  #explain(error: unknown, sql: SQL): unknown {
    if (error instanceof TimeoutError || errorCode(error) === 'ERR_POSTGRES_CONNECTION_TIMEOUT') {
      this.#unreachableUntil = performance.now() + unreachableMs
      this.#replaceConnections(sql)
      return new DatabaseUnavailable('unreachable', 'the database does not answer', { cause: error })
    }
    const state = sqlState(error)
    if (state === readOnlyState) this.#replaceConnections(sql)
    if (state === undefinedTableState) this.#migrated = undefined
    return postgresUnavailable(error) ?? error
  }

  /**
   * Opens a new pool and abandons the old one. Otherwise connections to a host that vanished would stay in the pool
   * until TCP gives up after minutes, and each would cost one call its time limit.
   */
  #replaceConnections(dead: SQL): void {
    if (this.#sql !== dead || this.#closed) return
    this.#sql = this.#connect()
    this.#migrated = undefined
    dead.close({ timeout: 0 }).catch(() => {})
    for (const listener of this.#listeners) void this.#listen(listener, this.#sql)
  }

  #connect(): SQL {
    const { maxConnections, connectTimeoutMs, statementTimeoutMs } = this.#options
    try {
      const database = decodeURIComponent(new URL(this.#url).pathname.slice(1))
      return new Bun.SQL({
        url: this.#url,
        // Passed again, because PGDATABASE in the environment overrides the URL.
        ...(database === '' ? {} : { database }),
        max: maxConnections,
        connectionTimeout: connectTimeoutMs / 1000,
        connection: {
          application_name: 'tally',
          statement_timeout: `${statementTimeoutMs}`,
          // A process that was stopped in the middle of a transaction must not keep its row locks forever.
          idle_in_transaction_session_timeout: `${statementTimeoutMs}`,
        },
      })
    } catch {
      // Without a cause: the runtime's error contains the URL.
      throw new DatabaseIncompatible(
        'the database URL is not valid: postgres://user:password@host:port/database',
      )
    }
  }
}
