/**
 * Runs one step of a start. When it fails, the error begins with the name of the step, because the error of a file or a
 * socket names no variable.
 *
 * @example await startStep('API_KEYS_FILE', () => readTexts(paths)) // Error: API_KEYS_FILE: ENOENT: no such file …
 * @throws StartError with the error of the step as its cause
 */
export async function startStep<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new StartError(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

/** A step of a start failed. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
