import type { SQL } from 'bun'
import { TimeoutError, withTimeout } from '../../lifecycle/timeout.ts'
import { ConnectionLost, DatabaseIncompatible, DatabaseUnavailable } from '../errors.ts'
import {
  type Migration,
  migratePostgres,
  migrationTimeoutMs,
  postgresIsUpToDate,
  postgresMigrations,
} from '../migrations.ts'
import { type ConnectionUrl, parseConnectionUrl } from './connection-url.ts'
import {
  comesFromPooler,
  errorCode,
  permissionState,
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
  /** How long a call may wait for a connection. */
  waitTimeoutMs?: number
  /** The steps to the newest schema. Only tests pass their own. */
  migrations?: readonly Migration[]
}

/** Calls that may wait for a connection. One more is refused at once. */
export const maxWaitingCalls = 1_000
/** After a timeout, calls fail at once for this long instead of waiting for the server one by one. */
const unreachableMs = 1_000
/** Connections to a read-only server are not replaced more often than this, in ms: it may stay read-only for long. */
const readOnlyReplaceMs = 1_000
/** The delay before the next attempt to listen, in ms. */
const listenRetryMs = 500
/** How long `close` waits for earlier calls, and then for their connections to be closed. */
const closeTimeoutMs = 2_000

/** Settings that statements rely on; they override those of the role and the database. */
const fixedSettings = {
  standard_conforming_strings: 'on',
  default_transaction_isolation: 'read committed',
}

interface SessionRow {
  readonly read_only: boolean
  readonly standby: boolean
  readonly allowed: boolean
  readonly user: string
}

/** A listener of a channel (LISTEN). */
interface Listener {
  readonly channel: string
  readonly onNotification: (payload: string) => void
  readonly onListening: () => void
  readonly onError: (error: unknown) => void
}

/** The session is read-only. */
class ReadOnlySession extends Error {
  override readonly name = 'ReadOnlySession'
}

/**
 * A session could not execute any part of a call, and a new session may. So any call may be repeated, including a write.
 */
class SessionReplaced extends DatabaseUnavailable {
  override readonly name = 'SessionReplaced'
}

/**
 * A connection pool that exists whether or not the server does. Every failure to reach the server is
 * DatabaseUnavailable: at once when the connection is refused, after `connectTimeoutMs` or `callTimeoutMs` when nothing
 * answers. When the server is back, the next call succeeds without a restart. Sessions that have become useless, such as
 * those on a server that is a standby now, are replaced.
 *
 * Behind a pooler such as PgBouncer a session has no settings, no prepared statements and no channels that last: the server's
 * session may be another one for each transaction. The pool detects that, and then runs each call in a
 * transaction that sets the time limits, prepares nothing, and does not listen.
 */
export class PostgresPool {
  readonly #url: ConnectionUrl
  readonly #options: Required<PostgresPoolOptions>
  readonly #semaphore: Semaphore
  readonly #listeners: Listener[] = []
  #sql: SQL
  #migrated: Promise<void> | undefined
  #isPooled = false
  #unreachableUntil = 0
  #readOnlyReplacedAt = Number.NEGATIVE_INFINITY
  #closed: Promise<void> | undefined

  /** @throws DatabaseIncompatible when the URL is invalid; the message does not repeat it, because it has a password */
  constructor(url: string, options: PostgresPoolOptions = {}) {
    this.#url = parseConnectionUrl(url)
    this.#options = {
      maxConnections: 10,
      connectTimeoutMs: 1_500,
      statementTimeoutMs: 3_000,
      callTimeoutMs: 4_000,
      waitTimeoutMs: 2_000,
      migrations: postgresMigrations,
      ...options,
    }
    const { maxConnections, waitTimeoutMs } = this.#options
    this.#semaphore = new Semaphore(maxConnections, maxWaitingCalls, waitTimeoutMs)
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
        const mayRepeat = error instanceof SessionReplaced || (repeatable && error instanceof ConnectionLost)
        if (mayRepeat && !this.#closed) return await this.#runOnce(work)
        throw error
      }
    })
  }

  /**
   * Listens to a channel (LISTEN) until the pool is closed, on a separate connection. It retries while the server is
   * unavailable. Behind a pooler it does not listen at all.
   *
   * Calls `onListening` of the listener whenever it begins to listen, because earlier notifications were missed, and
   * `onError` whenever an attempt fails.
   */
  listen(listener: Listener): void {
    this.#listeners.push(listener)
    void this.#listen(listener, this.#sql)
  }

  /**
   * Resolves when the schema is up to date, and the server would let this user write to a table.
   *
   * @throws DatabaseUnavailable when it would not
   */
  async ping(table: 'documents' | 'tasks' = 'documents'): Promise<void> {
    await this.run(async (sql) => {
      const [session] = await sql<SessionRow[]>`
        select current_setting('transaction_read_only') = 'on' as read_only, pg_is_in_recovery() as standby,
          has_table_privilege(${table}, 'select') and has_table_privilege(${table}, 'insert')
            and has_table_privilege(${table}, 'update') and has_table_privilege(${table}, 'delete') as allowed,
          current_user as user`
      if (session?.read_only)
        throw new ReadOnlySession(session.standby ? 'it is a standby' : 'it was made read-only')
      if (session?.allowed === false)
        throw new DatabaseUnavailable('refused', `${session.user} may not write the table ${table}`)
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
  async #listen({ channel, onNotification, onListening, onError }: Listener, sql: SQL): Promise<void> {
    while (this.#sql === sql && !this.#closed) {
      try {
        // Only then is it known whether there is a pooler.
        await this.#assertMigrated(sql)
        if (!this.#isPooled) await sql.listen(channel, onNotification, onListening)
        return
      } catch (error) {
        // A connection that was not opened in time does not mean that the others are broken.
        const isReadOnly = sqlState(error) === readOnlyState
        const explained =
          isReadOnly || comesFromPooler(error)
            ? this.#explain(error, sql)
            : (postgresUnavailable(error) ?? error)
        if (this.#sql === sql && !this.#closed) onError(explained)
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
      const outcome = this.#isPooled ? this.#inTransaction(sql, work) : work(sql)
      return await withTimeout(outcome, this.#options.callTimeoutMs)
    } catch (error) {
      throw this.#explain(error, sql)
    }
  }

  /** Sets the time limits of a session for one transaction. */
  async #inTransaction<T>(sql: SQL, work: (sql: SQL) => Promise<T>): Promise<T> {
    const settings = Object.entries(this.#limits()).map(([name, value]) => `set local ${name} = ${value}`)
    return (await sql.begin('isolation level read committed', async (transaction) => {
      await transaction.unsafe(settings.join('; '))
      // Within it, the work may begin a transaction: this one. An error of the work rolls back all of it.
      const inner = Object.assign(transaction, { begin: (part: (sql: SQL) => unknown) => part(inner) })
      return await work(inner as unknown as SQL)
    })) as T
  }

  /** All calls share one migration. When it fails, the next call begins a new one. */
  async #assertMigrated(sql: SQL): Promise<void> {
    const migrated = this.#migrated ?? this.#migrate(sql)
    if (this.#migrated === undefined) {
      this.#migrated = migrated
      migrated.catch(() => {
        // Other connections may have begun another one meanwhile.
        if (this.#migrated === migrated) this.#migrated = undefined
      })
    }
    await withTimeout(migrated, this.#options.callTimeoutMs, () => {
      throw new DatabaseUnavailable('busy', 'the database is being migrated')
    })
  }

  async #migrate(sql: SQL): Promise<void> {
    const { callTimeoutMs, migrations } = this.#options
    if (!this.#isPooled) await withTimeout(this.#assertDirect(sql), callTimeoutMs)
    try {
      if (await withTimeout(postgresIsUpToDate(sql, migrations), callTimeoutMs)) return
      await withTimeout(migratePostgres(sql, migrations), migrationTimeoutMs)
    } catch (error) {
      if (sqlState(error) !== permissionState) throw error
      const { message } = error as Error
      throw new DatabaseIncompatible(
        `the user may not create or read the tables of the service: ${message}`,
        {
          cause: error,
        },
      )
    }
  }

  /** A pooler that is configured to ignore session settings opens a session without them. */
  async #assertDirect(sql: SQL): Promise<void> {
    const [session] = await sql<{ setting: string }[]>`
      select setting from pg_settings where name = 'statement_timeout'`
    if (session?.setting !== `${this.#options.statementTimeoutMs}`) throw this.#noticePooler(sql, undefined)
  }

  #noticePooler(sql: SQL, cause: unknown): SessionReplaced {
    this.#isPooled = true
    this.#replaceConnections(sql)
    return new SessionReplaced('unreachable', 'a pooler is before the database', { cause })
  }

  #explain(error: unknown, sql: SQL): unknown {
    if (error instanceof TimeoutError || errorCode(error) === 'ERR_POSTGRES_CONNECTION_TIMEOUT') {
      this.#unreachableUntil = performance.now() + unreachableMs
      this.#replaceConnections(sql)
      return new DatabaseUnavailable('unreachable', 'the database does not answer', { cause: error })
    }
    if (comesFromPooler(error) && !(this.#isPooled && this.#sql === sql))
      return this.#noticePooler(sql, error)
    const state = sqlState(error)
    if (state === readOnlyState || error instanceof ReadOnlySession)
      return this.#leaveReadOnly(sql, error as Error)
    if (state === undefinedTableState) this.#migrated = undefined
    return postgresUnavailable(error) ?? error
  }

  /** After a failover the address may lead to another server, but open connections do not. */
  #leaveReadOnly(sql: SQL, cause: Error): DatabaseUnavailable {
    const message = `the database is read-only: ${cause.message}`
    const isReplaced = this.#sql !== sql
    if (!isReplaced && performance.now() - this.#readOnlyReplacedAt < readOnlyReplaceMs)
      return new DatabaseUnavailable('refused', message, { cause })
    if (!isReplaced) this.#readOnlyReplacedAt = performance.now()
    this.#replaceConnections(sql)
    return new SessionReplaced('refused', message, { cause })
  }

  /**
   * Opens a new pool and abandons the old one. Otherwise connections to a host that vanished would stay in the pool
   * until TCP times out after minutes, and each would cost one call its time limit.
   */
  #replaceConnections(dead: SQL): void {
    if (this.#sql !== dead || this.#closed) return
    this.#sql = this.#connect()
    this.#migrated = undefined
    dead.close({ timeout: 0 }).catch(() => {})
    for (const listener of this.#listeners) void this.#listen(listener, this.#sql)
  }

  #connect(): SQL {
    const { maxConnections, connectTimeoutMs } = this.#options
    const { url, database, applicationName = 'tally' } = this.#url
    try {
      // Each of these overrides a parameter of the URL, and variables such as PGOPTIONS.
      return new Bun.SQL({
        url,
        ...(database === undefined ? {} : { database }),
        max: maxConnections,
        connectionTimeout: connectTimeoutMs / 1000,
        idleTimeout: 0,
        maxLifetime: 0,
        prepare: !this.#isPooled,
        connection: {
          application_name: applicationName,
          // A pooler refuses to open a session with settings that it cannot keep.
          ...(this.#isPooled ? {} : { ...this.#limits(), ...fixedSettings }),
        },
      })
    } catch {
      // Without a cause: the runtime's error contains the URL.
      throw new DatabaseIncompatible(
        'the database URL is not valid: postgres://user:password@host:port/database',
      )
    }
  }

  #limits() {
    const { statementTimeoutMs } = this.#options
    return {
      statement_timeout: statementTimeoutMs,
      // A process that was stopped in the middle of a transaction must not keep its row locks forever.
      idle_in_transaction_session_timeout: statementTimeoutMs,
    }
  }
}
