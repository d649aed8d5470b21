import { isDatabaseFailure } from './errors.ts'

/** How soon a client may try again. Reconnecting is immediate, so this only spreads the retries. */
const retryAfterSeconds = 1

/**
 * Runs a call of an adapter and turns database failures into the error of the adapter's port.
 *
 * @param Unavailable the port's error class
 * @throws Unavailable when the database is unavailable, or was found incompatible after the start; every other error
 *   unchanged
 */
export async function mapDatabaseErrors<T>(
  Unavailable: new (retryAfterSeconds: number, options: ErrorOptions) => Error,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (isDatabaseFailure(error)) throw new Unavailable(retryAfterSeconds, { cause: error })
    throw error
  }
}
