/** Why a database is unavailable. For logs and readiness, not for decisions. */
export type UnavailableReason =
  | 'unreachable' // refused, gone, silent, or not letting us in
  | 'refused' // reachable, but not for writes: a standby, a replica, a file that was replaced, a missing permission
  | 'busy' // locked by others, or too many calls are waiting
  | 'full' // no space left, or the disk reports errors
  | 'closed' // closed by this process

/**
 * The database cannot do this now, and a retry may succeed. The outcome of a write may be unknown: the connection
 * can break between the commit and its confirmation.
 */
export class DatabaseUnavailable extends Error {
  override readonly name: string = 'DatabaseUnavailable'
  constructor(
    readonly reason: UnavailableReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** The connection broke during a statement. The statement may or may not have been executed. */
export class ConnectionLost extends DatabaseUnavailable {
  override readonly name = 'ConnectionLost'
  constructor(options: ErrorOptions) {
    super('unreachable', 'the connection to the database broke', options)
  }
}

/** A newer version of the service has migrated this database to a schema that this version would misread. */
export class SchemaTooNew extends Error {
  override readonly name = 'SchemaTooNew'
  constructor(found: number, known: number, requires: number) {
    super(
      `the database's schema is version ${found} and needs a service that knows at least version ${requires}, ` +
        `this one knows ${known}: start a newer version, or restore the backup from before the migration`,
    )
  }
}

/** The database can be reached but not used as it is: not one of ours, wrong encoding, no write-ahead log. */
export class DatabaseIncompatible extends Error {
  override readonly name = 'DatabaseIncompatible'
}

/** Whether an error means that the database cannot be used now: unavailable, or found incompatible after the start. */
export function isDatabaseFailure(error: unknown): boolean {
  return (
    error instanceof DatabaseUnavailable ||
    error instanceof SchemaTooNew ||
    error instanceof DatabaseIncompatible
  )
}
