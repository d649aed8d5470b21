/**
 * Waits until `condition` answers something that is neither false nor undefined, and returns it. A
 * condition that throws does not hold yet.
 *
 * @param what for the message, such as "api-1 to be ready".
 * @throws Error after `timeoutMs`, with the condition's last error as its cause.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  condition: () => Promise<T | false | undefined> | T | false | undefined,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let cause: unknown
    try {
      const result = await condition()
      if (result !== false && result !== undefined) return result
    } catch (error) {
      cause = error
    }
    if (performance.now() > deadline)
      throw new Error(`waited ${timeoutMs / 1_000} s in vain for ${what}`, { cause })
    await Bun.sleep(50)
  }
}
