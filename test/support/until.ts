export interface UntilOptions {
  /** The awaited event, for the message. Default: the source of the condition. */
  readonly what?: string
  /** Timeout on a loaded machine, in ms. Default: 45 s. */
  readonly timeoutMs?: number
  /** Time between two polls, in ms. Default: 5. */
  readonly intervalMs?: number
}

/** Thrown by a condition that can no longer become true: ends the wait immediately. */
export class Impossible extends Error {
  override readonly name = 'Impossible'
}

/**
 * Waits until a condition returns a truthy value, and returns it. A condition that throws counts as false.
 *
 * @throws Error at the timeout, with the condition's last error as its cause
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { what = String(condition), timeoutMs = 45_000, intervalMs = 5 }: UntilOptions = {},
): Promise<Exclude<T, undefined | false | null | '' | 0>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let cause: unknown
    try {
      const value = await condition()
      if (value) return value as Exclude<T, undefined | false | null | '' | 0>
    } catch (error) {
      if (error instanceof Impossible) throw error
      cause = error
    }
    if (performance.now() > deadline)
      throw new Error(`timed out after ${timeoutMs / 1_000} s waiting for ${what}`, { cause })
    await Bun.sleep(intervalMs)
  }
}
