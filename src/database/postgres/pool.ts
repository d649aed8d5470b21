import type { SQL } from 'bun'
import { ConnectionLost, DatabaseUnavailable, DatabaseUnusable, SchemaTooNew } from '../errors.ts'
import { MIGRATION_MS_MAX, migratePostgres, POSTGRES_MIGRATIONS, postgresIsUpToDate } from '../migrations.ts'
import { Slots } from './semaphore.ts'

export interface PostgresPoolOptions {
  /** Connections of this process. Several instances share the server's `max_connections` (100 by default). */
  connectionsMax?: number
  /** The longest a connection may take to be made. */
  connectMsMax?: number
  /** The longest one statement may run; enforced by the server. */
  statementMsMax?: number
  /** The longest one call may take on its connection before that is given up as dead. Above `statementMsMax`. */
  callMsMax?: number
  /** The steps to the newest schema. Handed in by tests; everybody else takes the real ones. */
  migrations?: readonly string[]
}

/** Calls that may wait for a connection, and for how long; one more, or one longer, is refused. */
export const CALLS_WAITING_MAX = 1_000
const CALL_WAIT_MS_MAX = 2_000
/** After a server was silent until a timeout, calls fail at once for this long instead of waiting for it one by one. */
const AWAY_MS = 1_000
/** How long `close` waits for calls that came before it, and then for their connections to be cut. */
const CLOSE_MS_MAX = 2_000

/**
 * A pool on PostgreSQL that is always there, also when the server is not. Whatever goes wrong on the way to the server
 * is DatabaseUnavailable: at once when the connection is refused, after `connectMsMax` or `callMsMax` when nothing
 * answers. When the server is back, the next call goes through; nothing has to be restarted.
 */
export class PostgresPool {
  readonly #url: string
  readonly #options: Required<PostgresPoolOptions>
  readonly #slots: Slots
  #sql: SQL
  #migrated: Promise<void> | undefined
  #awayUntil = 0
  #closed: Promise<void> | undefined

  /** @throws DatabaseUnusable when the URL is not one; the message does not show it, for it holds the password */
  constructor(url: string, options: PostgresPoolOptions = {}) {
    this.#url = url
    this.#options = {
      connectionsMax: 10,
      connectMsMax: 1_500,
      statementMsMax: 3_000,
      callMsMax: 4_000,
      migrations: POSTGRES_MIGRATIONS,
      ...options,
    }
    this.#slots = new Slots(this.#options.connectionsMax, CALLS_WAITING_MAX, CALL_WAIT_MS_MAX)
    this.#sql = this.#connect()
  }

  /**
   * Runs `work` on the pool, in its own time limit.
   *
   * @param repeatable whether `work` may run a second time when its connection broke and the first outcome is unknown:
   *   true for what only reads, and for a write that recognizes its own earlier self
   * @throws what `work` threw (an error of SQL or of the domain), or DatabaseUnavailable
   */
  async run<T>(work: (sql: SQL) => Promise<T>, repeatable: boolean): Promise<T> {
    if (this.#closed) throw new DatabaseUnavailable('closed', 'the database is closed')
    return await this.#slots.use(async () => {
      try {
        return await this.#once(work)
      } catch (error) {
        if (repeatable && error instanceof ConnectionLost) return await this.#once(work)
        throw error
      }
    })
  }

  /** Resolves when the server answers and the schema is up to date. */
  async ping(): Promise<void> {
    await this.run(async (sql) => {
      await sql`select 1`
    }, true)
  }

  /** Takes no more calls, lets those that came finish for a moment, then cuts. A second call gives the same promise. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    // Whatever does not end in time is cut by the next line; that it was late is told to its own caller.
    await within(CLOSE_MS_MAX, this.#slots.idle()).catch(() => {})
    await within(CLOSE_MS_MAX, this.#sql.close({ timeout: 0 })).catch(() => {})
  }

  async #once<T>(work: (sql: SQL) => Promise<T>): Promise<T> {
    if (performance.now() < this.#awayUntil) {
      throw new DatabaseUnavailable('away', 'the database did not answer a moment ago')
    }
    const sql = this.#sql
    try {
      await this.#upToDate(sql)
      return await within(this.#options.callMsMax, work(sql))
    } catch (error) {
      throw this.#explain(error, sql)
    }
  }

  /** The migration, once for all calls; one that failed is begun again by the next call. */
  async #upToDate(sql: SQL): Promise<void> {
    this.#migrated ??= this.#migrate(sql).catch((error) => {
      this.#migrated = undefined
      throw error
    })
    await within(
      this.#options.callMsMax,
      this.#migrated,
      () => new DatabaseUnavailable('busy', 'being migrated'),
    )
  }

  async #migrate(sql: SQL): Promise<void> {
    const { callMsMax, migrations } = this.#options
    if (await within(callMsMax, postgresIsUpToDate(sql, migrations))) return
    await within(MIGRATION_MS_MAX, migratePostgres(sql, migrations))
  }

  #explain(error: unknown, sql: SQL): unknown {
    if (error instanceof Silence || errorCode(error) === 'ERR_POSTGRES_CONNECTION_TIMEOUT') {
      this.#awayUntil = performance.now() + AWAY_MS
      this.#forgetConnections(sql)
      return new DatabaseUnavailable('away', 'the database does not answer', { cause: error })
    }
    const state = sqlState(error)
    if (state === READ_ONLY) this.#forgetConnections(sql)
    if (state === UNDEFINED_TABLE) this.#migrated = undefined
    return postgresUnavailable(error) ?? error
  }

  /**
   * Takes a new pool and leaves the old one to die: connections to a host that vanished would stay in it, each costing
   * one call its time limit, until TCP gives up after minutes.
   */
  #forgetConnections(dead: SQL): void {
    if (this.#sql !== dead || this.#closed) return
    this.#sql = this.#connect()
    this.#migrated = undefined
    dead.close({ timeout: 0 }).catch(() => {})
  }

  #connect(): SQL {
    const { connectionsMax, connectMsMax, statementMsMax } = this.#options
    try {
      const database = decodeURIComponent(new URL(this.#url).pathname.slice(1))
      return new Bun.SQL({
        url: this.#url,
        // Named again, because PGDATABASE in the environment would win over the URL.
        ...(database === '' ? {} : { database }),
        max: connectionsMax,
        connectionTimeout: connectMsMax / 1000,
        connection: {
          application_name: 'tally',
          statement_timeout: `${statementMsMax}`,
          // A process that was stopped in mid-transaction must not keep its row locks for ever.
          idle_in_transaction_session_timeout: `${statementMsMax}`,
        },
      })
    } catch {
      // Without a cause: the runtime's error has the URL in it.
      throw new DatabaseUnusable('the database URL is not valid: postgres://user:password@host:port/database')
    }
  }
}

/** Nothing came back in time. */
class Silence extends Error {}

/** The outcome of `work`, or after `ms` the error of `late`; the work itself goes on, for there is no way to stop it. */
async function within<T>(ms: number, work: Promise<T>, late: () => Error = () => new Silence()): Promise<T> {
  const { promise: limit, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late()), ms)
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}

const READ_ONLY = '25006' // connected to what became a standby
const UNDEFINED_TABLE = '42P01' // restored from before the migration, under our feet

/** SQLSTATEs, by class or in full, that a later try may not meet: PostgreSQL manual, appendix A. */
const AWAY = ['28', '3D000', READ_ONLY, UNDEFINED_TABLE, '57P03', '57P05']
const LOST = ['08', '57P01', '57P02', '25P03']
const BUSY = ['40', '53300', '55P03', '57014']
const FULL = ['53', '58']

/** The runtime's own errors that tell about the way to the server, not about the statement. */
const AWAY_CODES = /^ERR_POSTGRES_(CONNECTION_REFUSED|TLS_|AUTHENTICATION_|SASL_|UNSUPPORTED_AUTHENTICATION)/
const LOST_CODES = /^ERR_POSTGRES_(CONNECTION_|IDLE_TIMEOUT|LIFETIME_TIMEOUT|INVALID_TRANSACTION_STATE)/

/**
 * What an error of PostgreSQL means to somebody who may try again.
 *
 * @returns undefined for an error that a later try would meet again
 */
function postgresUnavailable(error: unknown): DatabaseUnavailable | undefined {
  if (error instanceof DatabaseUnavailable) return error
  // What is wrong with the schema was wrong before this call and is wrong after it.
  if (error instanceof SchemaTooNew || error instanceof DatabaseUnusable) return undefined
  const state = sqlState(error)
  const code = errorCode(error)
  const among = (states: readonly string[]) => states.some((prefix) => state?.startsWith(prefix))
  if (among(LOST)) return new ConnectionLost({ cause: error })
  if (among(AWAY))
    return new DatabaseUnavailable('away', `the database: ${(error as Error).message}`, { cause: error })
  if (among(BUSY))
    return new DatabaseUnavailable('busy', `the database: ${(error as Error).message}`, { cause: error })
  if (among(FULL))
    return new DatabaseUnavailable('full', `the database: ${(error as Error).message}`, { cause: error })
  if (AWAY_CODES.test(code))
    return new DatabaseUnavailable('away', 'the database cannot be reached', { cause: error })
  if (LOST_CODES.test(code)) return new ConnectionLost({ cause: error })
  return undefined
}

function sqlState(error: unknown): string | undefined {
  return error instanceof Bun.SQL.PostgresError ? error.errno : undefined
}

function errorCode(error: unknown): string {
  return error instanceof Bun.SQL.PostgresError ? error.code : ''
}
