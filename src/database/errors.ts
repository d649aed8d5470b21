/** What a database can be unavailable for; for logs and readiness, not for decisions. */
export type UnavailableReason =
  | 'away' // refused, gone, not answering, or not letting us in
  | 'busy' // locked by others, or too many calls are waiting already
  | 'full' // no room, or the disk gives errors
  | 'closed' // closed by ourselves

/**
 * The database cannot do this now, and a later try may succeed. For a write the outcome may be unknown: the connection
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

/** The connection broke while the statement was on its way: it was carried out, or it was not. */
export class ConnectionLost extends DatabaseUnavailable {
  override readonly name = 'ConnectionLost'
  constructor(options: ErrorOptions) {
    super('away', 'the connection to the database broke', options)
  }
}

/** A newer version of the service has migrated this database; an older one would misread it. */
export class SchemaTooNew extends Error {
  override readonly name = 'SchemaTooNew'
  constructor(found: number, known: number) {
    super(
      `the database's schema is version ${found}, and this version of the service knows only ${known}: ` +
        'start the newer version, or restore the backup from before its migration',
    )
  }
}

/** The database can be reached but cannot be used as it is: not ours, wrong encoding, no write-ahead log. */
export class DatabaseUnusable extends Error {
  override readonly name = 'DatabaseUnusable'
}

/** Whether an error says that the database cannot be used now: away, busy, full, closed, or found unfit after the start. */
export function isDatabaseFailure(error: unknown): boolean {
  return (
    error instanceof DatabaseUnavailable || error instanceof SchemaTooNew || error instanceof DatabaseUnusable
  )
}
