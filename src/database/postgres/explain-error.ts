import {
  ConnectionLost,
  DatabaseIncompatible,
  DatabaseUnavailable,
  SchemaTooNew,
  type UnavailableReason,
} from '../errors.ts'

/** The server is reachable but read-only: it has become a standby. */
export const readOnlyState = '25006'
/** A table is missing: the database was restored from before the migration while this process ran. */
export const undefinedTableState = '42P01'

/** The user lacks a permission, which an administrator can grant while this process runs. */
export const permissionState = '42501'

/** SQLSTATEs of temporary errors, by class or in full: PostgreSQL manual, appendix A. */
const unreachableStates = ['28', '3D000', undefinedTableState, '57P03', '57P05']
const refusedStates = [readOnlyState, permissionState]
const connectionLostStates = ['08', '57P01', '57P02', '25P03']
const busyStates = ['40', '53300', '55P03', '57014']
const fullStates = ['53', '58']

/** The runtime's own errors about the connection to the server, not about the statement. */
const unreachableCodes =
  /^ERR_POSTGRES_(CONNECTION_REFUSED|TLS_|AUTHENTICATION_|SASL_|UNSUPPORTED_AUTHENTICATION)/
const connectionLostCodes =
  /^ERR_POSTGRES_(CONNECTION_|IDLE_TIMEOUT|LIFETIME_TIMEOUT|INVALID_TRANSACTION_STATE)/

/**
 * Finds the reason for a temporary error of PostgreSQL.
 *
 * @returns undefined for an error that a retry would not avoid
 */
export function postgresUnavailable(error: unknown): DatabaseUnavailable | undefined {
  if (error instanceof DatabaseUnavailable) return error
  // An incompatible schema stays incompatible: a retry does not help.
  if (error instanceof SchemaTooNew || error instanceof DatabaseIncompatible) return undefined
  const state = sqlState(error)
  const matches = (states: readonly string[]) => states.some((prefix) => state?.startsWith(prefix))
  const unavailable = (reason: UnavailableReason) =>
    new DatabaseUnavailable(reason, `the database: ${(error as Error).message}`, { cause: error })
  if (matches(connectionLostStates)) return new ConnectionLost({ cause: error })
  if (matches(unreachableStates)) return unavailable('unreachable')
  if (matches(refusedStates)) return unavailable('refused')
  if (matches(busyStates)) return unavailable('busy')
  if (matches(fullStates)) return unavailable('full')
  const code = errorCode(error)
  if (unreachableCodes.test(code))
    return new DatabaseUnavailable('unreachable', 'the database cannot be reached', { cause: error })
  if (connectionLostCodes.test(code)) return new ConnectionLost({ cause: error })
  return undefined
}

/**
 * Whether an error shows that a pooler is between this process and the server: it refuses settings of a session, or
 * shares sessions among several clients, which prepare statements under the same names.
 */
export function comesFromPooler(error: unknown): boolean {
  const state = sqlState(error)
  if (state === '42P05') return true
  return state === '08P01' && (error as Error).message.includes('unsupported startup parameter')
}

/** The SQLSTATE of an error that the server reported. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof Bun.SQL.PostgresError ? error.errno : undefined
}

/** The runtime's code of an error; an empty text for an error of another kind. */
export function errorCode(error: unknown): string {
  return error instanceof Bun.SQL.PostgresError ? error.code : ''
}
