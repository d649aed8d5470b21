/** How long a condition may take to come true on a loaded machine, in ms. */
const patienceMs = 20_000

/**
 * Waits until a condition gives something truthy, and gives that.
 *
 * @throws Error naming the condition when it does not come true in time
 */
export async function until<T>(
  condition: () => T | Promise<T>,
): Promise<Exclude<T, undefined | false | null>> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const value = await condition()
    if (value) return value as Exclude<T, undefined | false | null>
    if (performance.now() > deadline) throw new Error(`did not come true: ${condition}`)
    await Bun.sleep(5)
  }
}
