import { parseConfig } from '../config.ts'
import { DatabaseUnavailable } from '../database/errors.ts'
import {
  migrationTimeoutMs,
  readPostgresVersion,
  readSqliteVersion,
  type SchemaVersion,
} from '../database/migrations.ts'
import { type OpenDatabase, openDatabase } from '../database/open.ts'
import { describeError } from '../telemetry/log/describe-error.ts'
import type { Log } from '../telemetry/log/log.ts'
import { openLog } from './logging.ts'
import { getBuild } from './metrics.ts'
import { invalidConfigExitCode } from './run.ts'

/** The wait before the next try while PostgreSQL cannot be reached, or another process migrates, in ms. */
const retryMs = 500

/**
 * Brings the configured database to the schema of this version, as every server does at its start. A database that cannot
 * be reached is tried again for as long as a migration may take.
 *
 * @returns the exit code: 0 when the schema is up to date, 1 when the database cannot be used, 78 when the configuration
 *   is invalid
 */
export async function migrate(env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const result = parseConfig(env)
  if (!result.ok) {
    console.error(`Invalid configuration:\n  ${result.problems.join('\n  ')}`)
    return invalidConfigExitCode
  }
  const { config } = result
  const { log } = openLog(config, { role: 'migration', pid: process.pid })
  const { DATABASE_URL: url, DATA_DIR: dataDir } = config
  try {
    const database = await openDatabase({ url, dataDir, postgres: { maxConnections: 1 } })
    try {
      const { version } = await readVersion(database, log)
      log.info('schema is up to date', {
        store: database.engine,
        schema: version,
        version: getBuild(config).version,
      })
    } finally {
      await database.close()
    }
    return 0
  } catch (error) {
    log.error('migration failed', { cause: describeError(error), error })
    return 1
  } finally {
    await log.flush()
  }
}

/** The version of the schema. With PostgreSQL, any call migrates first. */
async function readVersion(database: OpenDatabase, log: Log): Promise<SchemaVersion> {
  if (database.engine === 'sqlite') return readSqliteVersion(database.file.db)
  const deadline = performance.now() + migrationTimeoutMs
  for (let tries = 1; ; tries++) {
    try {
      return await database.pool.run(readPostgresVersion, true)
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable) || performance.now() > deadline) throw error
      if (tries === 1) log.warn('database unavailable, trying again', { cause: describeError(error) })
      await Bun.sleep(retryMs)
    }
  }
}
